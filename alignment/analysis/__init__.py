"""What the numbers say: pure functions on records, standard library only.

Import the module that has the idea: `rates`, `scores`, `degenerate`, `rollup`, `judging`.

Binomial tails (`binomial`), Student's quantile (`scores.t_quantile`) and the closed forms of
`rates` and `paired` are written here although `scipy.special` has most of them: every run needs
them, also one in which everything is stored, and such a run imports neither scipy nor numpy. With
the four variants of the tiny world it takes 4.0 s of processor time, and `scipy.special` would add
0.4 s to that (`scipy.stats` over 1 s). The tests hold all of them against scipy. What is computed
once and then stored, as the bootstrap of `shifts`, imports scipy where it is needed.
"""
