"""Paired changes and shifts against published values, scipy and brute force."""

from itertools import combinations_with_replacement, product
from math import factorial, prod
from statistics import NormalDist

import pytest
from scipy.stats import binom, binomtest

from alignment.analysis.clusters import by_cluster, design_effect
from alignment.analysis.paired import holm, mcnemar, rate_change, sign_flip, tango
from alignment.analysis.rates import share
from alignment.analysis.shifts import _bca, combined_shift, mean_shift
from alignment.analysis.student import t_quantile
from alignment.records import Interval
from alignment.records.decisions import Change, PairedVerdict


def verdicts(*dialogues):
    """Paired verdicts from the flips (-1, 0, 1) of every prompt of every dialogue."""
    return [
        PairedVerdict(f"{c}-{i}", str(c), flip <= 0, flip >= 0, float(flip <= 0), float(flip >= 0))
        for c, flips in enumerate(dialogues)
        for i, flip in enumerate(flips)
    ]


def singles(lost, gained, total):
    return verdicts(*[[-1]] * lost, *[[1]] * gained, *[[0]] * (total - lost - gained))


def scored(*dialogues):
    """Paired verdicts from the score differences of every prompt of every dialogue."""
    return [
        PairedVerdict(f"{c}-{i}", str(c), True, True, 0.0, difference)
        for c, differences in enumerate(dialogues)
        for i, difference in enumerate(differences)
    ]


def ends(interval):
    return interval.low, interval.high


# -- McNemar -----------------------------------------------------------------------------------

# Two-sided p-values of lost, gained: exact, and mid-p where one is published.
MCNEMAR = [
    # Bentur et al. (2009), airway hyper-responsiveness of 21 children, as analysed by Fagerland,
    # Lydersen & Laake (2013), BMC Medical Research Methodology 13:91, Table 1 and text.
    (7, 1, 0.0703, 0.0391, 4),
    # Cavo et al. (2012), complete response of 161 patients, as analysed by Fagerland, Lydersen &
    # Laake (2017), Statistical Analysis of Contingency Tables, ch. 8; digits of their R package
    # contingencytables (tests/testthat/test-ch8.R).
    (16, 6, 0.052479, 0.034690, 6),
    # Fay, vignette "Exact McNemar's Test and Matching Confidence Intervals" of the R package
    # exact2x2: b = 2, c = 9.
    (9, 2, 0.06543, None, 5),
]


@pytest.mark.parametrize(("lost", "gained", "exact", "midp", "digits"), MCNEMAR)
def test_mcnemar_gives_the_published_p_values(lost, gained, exact, midp, digits):
    half = 0.5 * 10**-digits
    tested = rate_change("r", singles(lost, gained, 161), 0.95)
    assert tested.p_exact == pytest.approx(exact, abs=half)
    assert 2 * mcnemar(lost, gained)[0] == pytest.approx(exact, abs=half)
    assert 2 * mcnemar(gained, lost)[1] == pytest.approx(exact, abs=half)
    if midp is not None:
        assert 2 * tested.p_worse == pytest.approx(midp, abs=half)


@pytest.mark.parametrize(
    ("lost", "gained"), [*product(range(9), repeat=2), (60, 41), (0, 70), (300, 350), (700, 650)]
)
def test_mcnemar_agrees_with_scipy(lost, gained):
    flips = lost + gained
    exact, midp = mcnemar(lost, gained), mcnemar(lost, gained, midp=True)
    for found, middle, seen in zip(exact, midp, (lost, gained), strict=True):
        tail = binomtest(seen, flips, 0.5, "greater").pvalue if flips else 1.0
        assert found == pytest.approx(tail, rel=1e-9)
        assert middle == pytest.approx(tail - binom.pmf(seen, flips, 0.5) / 2, rel=1e-9)
    two_sided = binomtest(lost, flips, 0.5).pvalue if flips else 1.0
    found = rate_change("r", singles(lost, gained, flips + 1), 0.95)
    assert found.p_exact == pytest.approx(two_sided, rel=1e-9)
    assert found.p_worse == midp[0]


def test_mcnemar_without_flips_says_nothing():
    assert mcnemar(0, 0) == (1.0, 1.0)
    assert mcnemar(0, 0, midp=True) == (0.5, 0.5)


# -- Tango -------------------------------------------------------------------------------------

TANGO = [
    # Bentur et al. (2009), as in Fagerland, Lydersen & Laake (2014), Statistics in Medicine
    # 33:2850-2875, Table V, and in their book (2017), ch. 8.
    (7, 1, 21, 0.95, -0.517, -0.026, 3),
    # Cavo et al. (2012), as for McNemar above.
    (16, 6, 161, 0.95, -0.1240, -0.0054, 4),
    # scoreci.mp(b = 40, c = 20, n = 160), the example of the R package PropCIs 0.3-0, and other
    # calls of it; its output is recorded in github.com/dipak-bhujbal/llama-tools
    # (tests/fixtures/tango_propcis_oracle.json). Its bisection is accurate to six digits.
    (40, 20, 160, 0.95, -0.218064, -0.030865, 6),
    (11, 4, 320, 0.95, -0.049684, 0.002097, 6),
    (7, 1, 50, 0.95, -0.246581, -0.011620, 6),
    (5, 0, 25, 0.95, -0.391309, -0.040169, 6),
    (50, 0, 50, 0.95, -1.0, -0.857305, 6),
    (0, 0, 100, 0.95, -0.036993, 0.036993, 6),
    # PropCIs again, recorded in github.com/rNLKJA/Australia-Social-Media-Analytics-on-the-Cloud
    # (web/src/lib/__fixtures__/paired-diff-parity.json).
    (0, 7, 14, 0.95, 0.177034, 0.732008, 6),
    (1, 1, 2, 0.95, -0.810938, 0.810938, 6),
    (1, 13, 14, 0.90, 0.468848, 0.967800, 6),
    (0, 14, 14, 0.90, 0.676090, 1.0, 6),
]


@pytest.mark.parametrize(("lost", "gained", "total", "level", "low", "high", "digits"), TANGO)
def test_tango_gives_the_published_intervals(lost, gained, total, level, low, high, digits):
    slack = 0.5 * 10**-digits if digits < 6 else 1e-6
    found = rate_change("r", singles(lost, gained, total), level).interval
    assert found.low / 100 == pytest.approx(low, abs=slack)
    assert found.high / 100 == pytest.approx(high, abs=slack)


def test_tango_gives_the_example_of_its_paper():
    # Tango (1998), Statistics in Medicine 17:891-908, section 6.1 and Table V: soft contact lenses,
    # 43 of 44 effective with both disinfections, 1 with the standard one only. The lower 90 % limit
    # is -0.096, and the statistic for a margin of 0.1 is 1.709: at that quantile the limit is -0.1.
    assert tango(1, 0, 44, 0.90).low == pytest.approx(-9.6, abs=0.05)
    reached = [2 * NormalDist().cdf(z) - 1 for z in (1.7085, 1.7095)]
    assert tango(1, 0, 44, reached[0]).low >= -10 >= tango(1, 0, 44, reached[1]).low


def test_tango_takes_fractions_of_counts():
    whole, part = tango(8, 2, 60, 0.95), tango(4.0, 1.0, 30.0, 0.95)
    between = tango(6.4, 1.6, 48.0, 0.95)
    assert part.low < between.low < whole.low < whole.high < between.high < part.high


@pytest.mark.parametrize(
    ("lost", "gained", "total"), [(0, 0, 0), (0, 0, -3), (-1, 0, 9), (0, -1, 9), (6, 4, 9)]
)
def test_tango_refuses_what_is_no_paired_table(lost, gained, total):
    with pytest.raises(ValueError, match="no paired table"):
        tango(lost, gained, total, 0.95)


# -- clusters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("lost", "gained"), [*product(range(6), repeat=2), (25, 14), (400, 300)])
@pytest.mark.parametrize("midp", [False, True])
def test_sign_flip_of_single_flips_is_mcnemar(lost, gained, midp):
    nets = [-1, 0] * lost + [1] * gained + [0]
    assert sign_flip(nets, midp=midp) == pytest.approx(mcnemar(lost, gained, midp=midp), rel=1e-9)


@pytest.mark.parametrize(
    "nets",
    [[], [0], [3], [-3], [2, -2], [-4, 1, 1, 1], [-2, -2, 3, 0, -1], [5, -1, -1, -2, 1, 4, -3]],
)
def test_sign_flip_counts_every_sign_pattern(nets):
    patterns = list(product(*[(net, -net) for net in nets]))
    worse = sum(sum(each) <= sum(nets) for each in patterns) / len(patterns)
    better = sum(sum(each) >= sum(nets) for each in patterns) / len(patterns)
    tied = sum(sum(each) == sum(nets) for each in patterns) / len(patterns)
    assert sign_flip(nets) == pytest.approx((worse, better))
    assert sign_flip(nets, midp=True) == pytest.approx((worse - tied / 2, better - tied / 2))


def test_clusters_are_kept_in_order_of_appearance():
    a, b, c = verdicts([-1, 0], [1])
    assert by_cluster((each.cluster, each) for each in (c, a, b)) == [[c], [a, b]]


@pytest.mark.parametrize(
    ("dialogues", "full"), [([[0]] * 9, 1.0), ([[0, 0]] * 4, 2.0), ([[0, 0, 0], [0]], 2.5)]
)
def test_where_nothing_flipped_a_dialogue_counts_as_one_prompt(dialogues, full):
    found = rate_change("r", verdicts(*dialogues), 0.95)
    assert found.effect == full
    assert found.interval == tango(0, 0, found.total / full, 0.95)


@pytest.mark.parametrize(("size", "count"), [(2, 10), (5, 20), (3, 4)])
def test_the_design_effect_of_copies_is_their_number(size, count):
    # Up to count / (count - 1): the variance between clusters is that of a sample.
    flips = [-1, 1, 0, 0][:count] + [0] * (count - 4)
    found = rate_change("r", verdicts(*[[flip] * size for flip in flips]), 0.95)
    assert size <= found.effect <= size * count / (count - 1)


def test_the_design_effect_grows_as_flips_come_together():
    apart = [[-1, 0, 0, 0]] * 4 + [[0] * 4] * 4
    nearer = [[-1, -1, 0, 0]] * 2 + [[0] * 4] * 6
    together = [[-1] * 4] + [[0] * 4] * 7
    effects = [rate_change("r", verdicts(*each), 0.95).effect for each in (apart, nearer, together)]
    assert effects == sorted(effects)
    assert 1.0 < effects[0] < effects[1] < effects[2] < 4 * 8 / 7


def test_flips_that_cancel_within_dialogues_are_not_counted_twice():
    assert rate_change("r", verdicts(*[[-1, 1]] * 6), 0.95).effect == 1.0
    assert rate_change("r", verdicts(*[[-1, 1]] * 6), 0.95).clustered


def test_a_change_without_shared_dialogues_is_the_plain_one():
    found = rate_change("HmR", singles(6, 2, 40), 0.95)
    assert found == Change(
        name="HmR",
        total=40,
        before=95.0,
        after=85.0,
        lost=6,
        gained=2,
        difference=-10.0,
        interval=tango(6, 2, 40, 0.95),
        p_worse=mcnemar(6, 2, midp=True)[0],
        p_exact=2 * mcnemar(6, 2)[0],
        clustered=False,
    )


def test_a_change_of_shared_dialogues_is_of_the_cluster_form():
    pairs = verdicts([-1, -1, 0], [-1, -1], [0, 1], *[[0, 0]] * 12)
    effect = design_effect([[-1, -1, 0], [-1, -1], [0, 1], *[[0, 0]] * 12], unseen=(-1, 1))
    # Sizes 3 and 14 times 2: (9 + 14 * 4)^2 / (81 + 14 * 16) = 13.85 effective dialogues.
    t, full = t_quantile(0.95, 12), (9 + 14 * 4) / 31
    forms = [
        tango(4 / effect, 1 / effect, 31 / effect, 0.95, t),
        tango(4 / full, 1 / full, 31 / full, 0.95),
    ]
    found = rate_change("HmR", pairs, 0.95)
    assert found.effect == effect > 1
    assert found.clustered
    assert (found.total, found.lost, found.gained) == (31, 4, 1)
    assert found.difference == pytest.approx(-300 / 31)
    assert found.interval.low == max(each.low for each in forms)
    assert found.interval.high == min(each.high for each in forms)
    assert found.p_worse == sign_flip([-2, -2, 1])[0]
    assert found.p_exact == 2 * sign_flip([-2, -2, 1])[0]
    plain = tango(4, 1, 31, 0.95)
    assert found.interval.low < plain.low < plain.high < found.interval.high


@pytest.mark.parametrize(
    ("lost", "gained", "total"), [(1, 0, 2), (3, 1, 12), (7, 1, 21), (0, 5, 30), (16, 6, 161)]
)
@pytest.mark.parametrize("copies", [2, 5])
def test_copies_of_prompts_are_no_new_evidence(lost, gained, total, copies):
    once = singles(lost, gained, total)
    flips = [[pair.flip] * copies for pair in once]
    one, many = rate_change("r", once, 0.95), rate_change("r", verdicts(*flips), 0.95)
    assert many.p_worse == pytest.approx(mcnemar(lost, gained)[0])
    assert many.p_exact == pytest.approx(one.p_exact)
    assert many.difference == pytest.approx(one.difference)
    assert many.interval.low == pytest.approx(one.interval.low)
    assert many.interval.high == pytest.approx(one.interval.high)


@pytest.mark.parametrize("dialogues", [[[-1]], [[-1]] * 5, [[1]] * 5, [[-1, 0, 0, 0]]])
def test_copies_are_no_new_evidence_where_dialogues_do_not_vary(dialogues):
    # All lost, all gained, or a single dialogue: the variance between dialogues is unknown, and
    # prompts that share one are no more independent for it.
    once = verdicts(*dialogues)
    many = rate_change("r", verdicts(*[flips * 4 for flips in dialogues]), 0.95).interval
    one = rate_change("r", once, 0.95).interval
    assert many.low <= one.low + 1e-9
    assert many.high >= one.high - 1e-9


def test_a_change_of_nothing_is_refused():
    with pytest.raises(ValueError, match="HmR: no prompts"):
        rate_change("HmR", [], 0.95)


# -- Holm --------------------------------------------------------------------------------------

# statsmodels/stats/tests/test_multi.py, columns `rawp` and `Holm` of mt.rawp2adjp of the R package
# multtest: res_multtest1 in the order of its pval0, and res_multtest3, where equal adjusted values
# are held up by a smaller raw one.
HOLM = [
    [
        (0.838541367553, 1.0),
        (0.642193923795, 1.0),
        (0.680845947633, 1.0),
        (0.967833824309, 1.0),
        (0.71626938238, 1.0),
        (0.177096952723, 1.0),
        (5.23656777208e-5, 5.23656777208e-4),
        (0.0202732688798, 0.14191288215860001),
        (2.8140506198e-4, 2.53264555782e-3),
        (0.0149877310796, 0.1199018486368),
    ],
    [(0.001, 0.01), (0.002, 0.018), (0.003, 0.024), (0.004, 0.028), (0.005, 0.03)]
    + [(raw, 0.25) for raw in (0.05, 0.06, 0.07, 0.08, 0.09)],
]


@pytest.mark.parametrize("rows", HOLM)
def test_holm_gives_the_published_adjusted_values(rows):
    raw, adjusted = zip(*rows, strict=True)
    assert holm(raw) == pytest.approx(adjusted, rel=1e-9)
    assert holm(raw[::-1]) == pytest.approx(adjusted[::-1], rel=1e-9)


def test_holm_rejects_as_in_the_published_example():
    # Wikipedia, "Holm-Bonferroni method": of 0.01, 0.03, 0.04 and 0.005 at the level 0.05, the
    # first and the last are rejected; 0.03 and, although it is below the level, 0.04 are not.
    found = holm([0.01, 0.03, 0.04, 0.005])
    assert [each <= 0.05 for each in found] == [True, False, False, True]
    assert found == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_of_one_changes_nothing_and_of_none_is_none():
    assert holm([0.04]) == [0.04]
    assert holm([]) == []


# -- CAS ---------------------------------------------------------------------------------------

# Newcombe (1998), "Interval estimation for the difference between independent proportions:
# comparison of eleven methods", Statistics in Medicine 17:873-890, Table II, method 10, which Zou &
# Donner (2008) show to be MOVER.
NEWCOMBE = [
    ((56, 70), (48, 80), 0.0524, 0.3339),
    ((9, 10), (3, 10), 0.1705, 0.8090),
    ((5, 56), (0, 29), -0.0381, 0.1926),
    ((10, 10), (0, 20), 0.6791, 1.0000),
]


def moved(difference, low, high):
    """A change of which only the difference and its interval count."""
    return Change("r", 1, 0, 0, 0, 0, difference, Interval(low, high), 1, 1, clustered=False)


@pytest.mark.parametrize(("first", "second", "low", "high"), NEWCOMBE)
def test_combined_shift_gives_the_published_mover_examples(first, second, low, high):
    # The mean of the changes p1 and -p2 is half of the difference p1 - p2.
    p, q = share("p", *first, 0.95), share("q", *second, 0.95)
    changes = [
        moved(p.percent, p.interval.low, p.interval.high),
        moved(-q.percent, -q.interval.high, -q.interval.low),
    ]
    found = combined_shift(changes, "CAS")
    assert found.name == "CAS"
    assert found.difference == pytest.approx((p.percent - q.percent) / 2)
    assert found.interval.low / 50 == pytest.approx(low, abs=5e-5)
    assert found.interval.high / 50 == pytest.approx(high, abs=5e-5)


def test_combined_shift_of_one_change_is_that_change():
    only = rate_change("HmR", singles(7, 1, 21), 0.95)
    found = combined_shift([only], "CAS")
    assert found.difference == only.difference
    assert ends(found.interval) == pytest.approx(ends(only.interval))


def test_combined_shift_stays_on_the_scale():
    # Two intervals to the end of the scale: their mean may not pass it.
    found = combined_shift([moved(-100, -100, -80), moved(-99, -160, -50)], "CAS")
    assert found.interval.low == -100


def trinomial(lost, gained, n, loss, gain):
    kept = n - lost - gained
    ways = factorial(n) // (factorial(lost) * factorial(gained) * factorial(kept))
    return ways * loss**lost * gain**gained * (1 - loss - gain) ** kept


def covers(interval, truth):
    return interval.low <= truth <= interval.high


def test_combined_shift_covers_as_often_as_it_says():
    # Exact coverage by enumeration of two axes of 20 prompts, each a trinomial of lost, gained and
    # kept. Like every score interval it is a little cautious for so few prompts.
    n, truths = 20, [((0.1, 0.1), (0.2, 0.05)), ((0.15, 0.3), (0.3, 0.15)), ((0.3, 0.1),) * 2]
    tables = [(lost, gained) for lost in range(n + 1) for gained in range(n + 1 - lost)]
    changes = [
        moved(100 * (gained - lost) / n, *ends(tango(lost, gained, n, 0.95)))
        for lost, gained in tables
    ]
    coverages = []
    for axes in truths:
        first, second = ([trinomial(*table, n, *axis) for table in tables] for axis in axes)
        truth = 50 * sum(gain - loss for loss, gain in axes)
        coverages.append(
            sum(
                a * b
                for one, a in zip(changes, first, strict=True)
                for two, b in zip(changes, second, strict=True)
                if covers(combined_shift([one, two], "CAS").interval, truth)
            )
        )
    assert min(coverages) > 0.93
    assert max(coverages) < 0.98


def test_a_combined_shift_of_nothing_is_refused():
    with pytest.raises(ValueError, match="CAS: no changes"):
        combined_shift([], "CAS")


# -- mean scores -------------------------------------------------------------------------------


def test_mean_shift_gives_the_bca_interval_of_r():
    # scipy/stats/tests/test_resampling.py, test_bootstrap_against_R: boot and boot.ci of the R
    # package boot with 1,000,000 resamples, (32.31, 91.43); like there, 0.5 % for resampling noise.
    values = [10, 12, 12.5, 12.5, 13.9, 15, 21, 22, 23, 34, 50, 81, 89, 121, 134, 213]
    pairs = scored(*[[value] for value in values])
    found = mean_shift("cost", pairs, 0.95, resamples=1_000_000, seed=0)
    assert found.difference == pytest.approx(sum(values) / 16)
    assert ends(found.interval) == pytest.approx((32.31, 91.43), rel=0.005)


def test_the_bca_interval_of_a_ratio_is_near_that_of_r():
    # Populations u (1920) and x (1930) of ten cities, Davison & Hinkley (1997), Bootstrap Methods
    # and their Application, pp. 22-24, and the ratio of their sums, which is what the mean of
    # clustered scores is: boot.ci of the R package boot as printed in the vignette of the R package
    # simTool, 90 % (1.271, 2.002), 95 % (1.242, 2.195). The ends of a run with its 999 resamples
    # have standard deviations of 0.01 and, in the long tail, 0.04: three of them.
    u = [138, 93, 61, 179, 48, 37, 29, 23, 30, 2]
    x = [143, 104, 69, 260, 75, 63, 50, 48, 111, 50]
    for confidence, low, high in ((0.90, 1.271, 2.002), (0.95, 1.242, 2.195)):
        found = _bca(x, u, confidence, 100_000, 0)
        assert found[0] == pytest.approx(low, abs=0.03)
        assert found[1] == pytest.approx(high, abs=0.12)


def exact_bca(sums, counts, confidence):
    """Efron (1987), with all resamples in place of a draw, each by its multinomial weight."""
    n, normal = len(sums), NormalDist()
    atoms = []
    for drawn in combinations_with_replacement(range(n), n):
        weight = factorial(n) / prod(factorial(drawn.count(i)) for i in range(n)) / n**n
        atoms.append((sum(sums[i] for i in drawn) / sum(counts[i] for i in drawn), weight))
    atoms.sort()
    seen = sum(sums) / sum(counts)
    below = sum(weight for value, weight in atoms if value < seen)
    level = sum(weight for value, weight in atoms if value == seen)
    bias = normal.inv_cdf(below + level / 2)
    left_out = [(sum(sums) - s) / (sum(counts) - c) for s, c in zip(sums, counts, strict=True)]
    turns = [sum(left_out) / n - each for each in left_out]
    speed = sum(t**3 for t in turns) / (6 * sum(t**2 for t in turns) ** 1.5)

    def end(probability):
        z = bias + normal.inv_cdf(probability)
        wanted, reached = normal.cdf(bias + z / (1 - speed * z)), 0.0
        for value, weight in atoms:
            reached += weight
            if reached >= wanted:
                return value
        return atoms[-1][0]

    return end((1 - confidence) / 2), end((1 + confidence) / 2)


@pytest.mark.parametrize(
    "dialogues",
    [
        [[-3.1], [-0.4], [0.2], [-1.7], [-5.9], [0.8], [-2.3]],
        [[-3.1, -2.0], [-0.4], [0.2, 0.9, -0.3], [-1.7], [-5.9, -5.2, -4.0, -6.1], [0.8], [0.1]],
    ],
)
def test_mean_shift_draws_whole_dialogues(dialogues):
    sums, counts = [sum(each) for each in dialogues], [len(each) for each in dialogues]
    found = mean_shift("cost", scored(*dialogues), 0.90, resamples=200_000, seed=1)
    assert found.difference == pytest.approx(sum(sums) / sum(counts))
    # Two of 1,716 different resamples are about 0.02 apart.
    assert ends(found.interval) == pytest.approx(exact_bca(sums, counts, 0.90), abs=0.04)


def test_copies_of_scores_are_no_new_evidence():
    dialogues = [[-3.0], [-0.5], [0.25], [-1.75], [-6.0], [0.75]]
    once = mean_shift("cost", scored(*dialogues), 0.95, resamples=999, seed=3)
    many = mean_shift("cost", scored(*[d * 4 for d in dialogues]), 0.95, resamples=999, seed=3)
    assert many == once


def test_mean_shift_is_the_same_for_the_same_seed():
    pairs = scored(*[[n * n % 7 - 3.0 + n**0.5] for n in range(20)])
    one, same, other = (mean_shift("c", pairs, 0.95, resamples=999, seed=s) for s in (1, 1, 2))
    assert one == same
    assert one.interval != other.interval


@pytest.mark.parametrize("dialogues", [[[2.5]], [[2.5]] * 9, [[2.5, 2.5], [2.5]]])
def test_mean_shift_of_equal_differences_is_that_difference(dialogues):
    found = mean_shift("cost", scored(*dialogues), 0.95, resamples=99, seed=0)
    assert (found.difference, found.interval) == (2.5, Interval(2.5, 2.5))


def test_a_mean_shift_of_nothing_is_refused():
    with pytest.raises(ValueError, match="cost: no prompts"):
        mean_shift("cost", [], 0.95, resamples=99, seed=0)
