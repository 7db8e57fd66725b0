"""The statistics: pure functions on records, standard library only.

Import from the module of a topic: `rates`, `scores`, `degenerate`, `rollup`, `judging` and so on.

Binomial tails (`binomial`), Student's quantile (`student`) and the closed forms of
`rates` and `paired` are implemented here although `scipy.special` has most of them: every run needs
them, even one that finds everything in the store, and such a run imports neither scipy nor numpy.
With the four variants of the tiny world it takes 4.0 s of processor time; `scipy.special` would add
0.4 s (`scipy.stats` over 1 s). The tests compare all of them with scipy. What is computed once and
then stored, such as the bootstrap of `shifts`, imports scipy where it is needed.
"""
