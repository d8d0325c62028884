"""The ledger conserves, labels honestly and never turns a missing reading into a zero."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.fakes import gpu_channel, log_of, span, steady, tokens
from membench.domain.labels import Provenance
from membench.energy.attribution.ledger import EnergyLedger, attribute
from membench.energy.figure import Allocation, Component, Flag, UnlikeFigures
from membench.energy.samples import (
    IDLE,
    RECHECK,
    Channel,
    FlagEvent,
    SampleLog,
    Span,
    Trace,
    Window,
)
from membench.records.telemetry import Telemetry


def joules(ledger: EnergyLedger, phase: str) -> float:
    value = ledger.phases[phase].joules
    assert value is not None
    return value


# --- what goes where ---------------------------------------------------------------------------


def test_a_phase_gets_the_counter_over_its_windows_and_gaps_go_to_idle() -> None:
    ledger = attribute(
        log_of(steady(100, 60)), [span(10, 20), span(25, 35, "recall"), span(35, 45, "answer")]
    )
    assert joules(ledger, "ingest") == pytest.approx(1000)
    assert joules(ledger, "recall") == pytest.approx(1000)
    assert ledger.idle.joules == pytest.approx(500)
    assert ledger.total.joules == pytest.approx(3500)
    assert ledger.outside.joules == pytest.approx(2500)


def test_phases_apart_by_a_barrier_are_measured() -> None:
    waves = [span(0, 20), span(0, 19), span(20, 40, "recall")]
    ledger = attribute(log_of(steady(100, 60)), waves)
    assert ledger.phases["ingest"].provenance is Provenance.MEASURED
    assert ledger.phases["ingest"].allocation is Allocation.EXCLUSIVE
    assert ledger.concurrency("ingest") == pytest.approx(1.95)
    assert ledger.mean_watts("ingest") == pytest.approx(100)


def test_overlapping_phases_share_a_joule_and_are_modelled() -> None:
    ledger = attribute(log_of(steady(100, 60)), [span(10, 30), span(20, 40, "recall")])
    assert joules(ledger, "ingest") == pytest.approx(1500)
    assert joules(ledger, "recall") == pytest.approx(1500)
    for phase in ("ingest", "recall"):
        assert ledger.phases[phase].provenance is Provenance.MODELLED
        assert ledger.phases[phase].allocation is Allocation.TIME_SHARE
    assert ledger.total.provenance is Provenance.MEASURED


def test_what_sharing_leaves_open_is_in_the_uncertainty() -> None:
    apart = attribute(log_of(steady(100, 60)), [span(10, 30), span(30, 50, "recall")])
    mixed = attribute(log_of(steady(100, 60)), [span(10, 30), span(10, 30, "recall")])
    sigma = mixed.phases["recall"].u_joules
    assert sigma is not None
    assert sigma >= 2000 / math.sqrt(12)
    assert sigma > 3 * (apart.phases["recall"].u_joules or 0)


def test_the_judge_has_a_ledger_of_its_own() -> None:
    ledger = attribute(log_of(steady(100, 60)), [span(0, 20), span(30, 50, "judge")])
    assert "judge" not in ledger.phases
    assert ledger.judge.joules == pytest.approx(2000)
    assert ledger.total.joules == pytest.approx(2000)
    assert Flag.JUDGE_OVERLAP not in ledger.total.flags


def test_a_judge_inside_the_run_is_flagged_and_spoils_the_measurement() -> None:
    ledger = attribute(log_of(steady(100, 60)), [span(0, 40), span(30, 50, "judge")])
    assert Flag.JUDGE_OVERLAP in ledger.total.flags
    assert ledger.total.provenance is Provenance.MODELLED


def test_abandoned_attempts_are_kept_but_charged_to_no_phase() -> None:
    ledger = attribute(
        log_of(steady(100, 60)), [span(0, 20, abandoned=True), span(20, 40), span(40, 50)]
    )
    assert joules(ledger, "ingest") == pytest.approx(3000)
    assert ledger.unattributed.joules == pytest.approx(2000)
    assert ledger.total.joules == pytest.approx(5000)


def test_net_leaves_the_loaded_idle_power_out_and_is_null_without_a_baseline() -> None:
    times = np.arange(0, 60.05, 0.1)
    counter = np.where(times < 30, 60 * times, 1800 + 300 * (times - 30))
    log = log_of(Trace.of(gpu_channel(), times, counter), windows=(Window(IDLE, 0, 29),))
    spans = [span(30, 50)]
    assert attribute(log, spans).phases["ingest"].net_joules == pytest.approx(20 * 240, rel=0.01)
    assert attribute(replace(log, windows=()), spans).phases["ingest"].net_joules is None


def test_net_is_floored_at_zero_with_a_flag() -> None:
    times = np.arange(0, 60.05, 0.1)
    counter = np.where(times < 30, 200 * times, 6000 + 50 * (times - 30))
    log = log_of(Trace.of(gpu_channel(), times, counter), windows=(Window(IDLE, 0, 29),))
    figure = attribute(log, [span(30, 50)]).phases["ingest"]
    assert figure.net_joules == 0.0
    assert Flag.NET_FLOORED in figure.flags


def test_idle_power_that_drifted_is_flagged() -> None:
    times = np.arange(0, 60.05, 0.1)
    counter = np.where(times < 40, 50 * times, 2000 + 80 * (times - 40))
    windows = (Window(IDLE, 0, 10), Window(RECHECK, 45, 60))
    ledger = attribute(
        log_of(Trace.of(gpu_channel(), times, counter), windows=windows), [span(10, 40)]
    )
    assert ledger.baseline is not None
    assert ledger.baseline.drift == pytest.approx(0.6)
    assert Flag.IDLE_DRIFT in ledger.total.flags


def test_a_short_window_is_flagged() -> None:
    ledger = attribute(log_of(steady(100, 60)), [span(0, 2), span(10, 40, "recall")])
    assert Flag.SHORT_WINDOW in ledger.phases["ingest"].flags
    assert Flag.SHORT_WINDOW not in ledger.phases["recall"].flags


# --- faults of sensors -------------------------------------------------------------------------


def test_without_readings_every_figure_is_null_and_says_why() -> None:
    log = SampleLog(selection=("nvml: – unavailable — no NVIDIA driver",))
    summary = attribute(log, [span(0, 10)]).summary()
    assert summary.total.joules is None
    assert summary.phases["ingest"].total.provenance == "unavailable"
    assert summary.boundary is None
    assert "no NVIDIA driver" in summary.sources[0]["method"]


def test_a_counter_reset_loses_the_phase_it_hit_and_the_total_but_not_the_others() -> None:
    trace = steady(100, 60)
    broken = trace.joules.copy()
    broken[250:] -= broken[250] - 1.0
    ledger = attribute(
        log_of(Trace.of(trace.channel, trace.t, broken)), [span(0, 20), span(20, 40, "recall")]
    )
    assert ledger.phases["recall"].joules is None
    assert Flag.COUNTER_RESET in ledger.phases["recall"].flags
    assert ledger.total.joules is None
    assert joules(ledger, "ingest") == pytest.approx(2000)


@pytest.mark.parametrize("jump", [50_000.0, 2.0**60])
@pytest.mark.parametrize("component", [Component.GPU, Component.CPU, Component.NODE])
def test_a_counter_that_moves_by_more_than_the_device_can_draw_is_not_believed(
    jump: float, component: Component
) -> None:
    trace = steady(100, 60)
    broken = trace.joules.copy()
    broken[250:] += jump
    channel = gpu_channel(component=component)
    odd = Trace.of(channel, trace.t, broken, np.full(trace.t.shape, 100.0))
    ledger = attribute(log_of(odd), [span(0, 20), span(20, 40, "recall")])
    assert ledger.phases["recall"].joules is None
    assert Flag.IMPOSSIBLE_RATE in ledger.phases["recall"].flags
    assert ledger.total.joules is None
    assert Flag.IMPOSSIBLE_RATE in ledger.total.flags
    assert joules(ledger, "ingest") == pytest.approx(2000)


def test_a_jump_outside_the_run_costs_no_joules_and_is_flagged() -> None:
    trace = steady(100, 60)
    broken = trace.joules.copy()
    broken[550:] += 50_000.0
    ledger = attribute(log_of(Trace.of(trace.channel, trace.t, broken)), [span(0, 40)])
    assert ledger.total.joules == pytest.approx(4000)
    assert Flag.IMPOSSIBLE_RATE in ledger.total.flags


def test_a_jump_is_impossible_by_the_power_limit_where_no_power_is_read() -> None:
    trace = steady(100, 60)
    broken = trace.joules.copy()
    broken[250:] += 4_000.0
    limited = gpu_channel(facts={"power_limit_mw": 300_000})
    for channel, known in ((limited, False), (gpu_channel(), True)):
        ledger = attribute(log_of(Trace.of(channel, trace.t, broken)), [span(0, 40)])
        assert ledger.total.available is known


def test_a_device_that_goes_to_full_power_between_two_idle_readings_is_believed() -> None:
    times = np.arange(0, 60, 0.1)
    rising = np.cumsum(np.where((times > 20) & (times < 40), 700.0, 70.0) * 0.1)
    trace = Trace.of(gpu_channel(), times, rising, np.full(times.shape, 80.0))
    ledger = attribute(log_of(trace), [span(0, 55)])
    assert ledger.total.available


def test_a_sensor_that_dies_leaves_later_phases_unavailable() -> None:
    ledger = attribute(log_of(steady(100, 30)), [span(0, 20), span(20, 50, "recall")])
    assert joules(ledger, "ingest") == pytest.approx(2000)
    assert ledger.phases["recall"].joules is None
    assert Flag.NOT_COVERED in ledger.phases["recall"].flags
    assert ledger.total.joules is None


def test_failed_readings_inside_one_phase_cost_nothing() -> None:
    trace = steady(100, 60)
    holes = trace.joules.copy()
    holes[100:150] = np.nan
    ledger = attribute(log_of(Trace.of(trace.channel, trace.t, holes)), [span(0, 40)])
    assert joules(ledger, "ingest") == pytest.approx(4000)
    assert Flag.GAP not in ledger.phases["ingest"].flags


def test_a_gap_across_phases_is_unattributed() -> None:
    trace = steady(100, 60)
    holes = trace.joules.copy()
    holes[150:250] = np.nan
    ledger = attribute(
        log_of(Trace.of(trace.channel, trace.t, holes)), [span(0, 20), span(20, 40, "recall")]
    )
    assert ledger.unattributed.joules == pytest.approx(1010, rel=0.01)
    assert Flag.GAP in ledger.phases["ingest"].flags
    assert ledger.phases["ingest"].provenance is Provenance.MODELLED
    assert ledger.total.joules == pytest.approx(4000)


def test_a_clock_that_steps_back_is_flagged_and_conserves() -> None:
    trace = steady(100, 60)
    times = trace.t.copy()
    times[300:] -= 5.0
    ledger = attribute(log_of(Trace.of(trace.channel, times, trace.joules)), [span(0, 50)])
    assert Flag.CLOCK_STEP in ledger.total.flags
    outside = ledger.outside.joules
    assert ledger.total.joules is not None
    assert outside is not None
    assert ledger.total.joules + outside == pytest.approx(6000)
    assert ledger.unattributed.joules == pytest.approx(500, rel=0.05)


def test_a_counter_that_never_moves_is_unavailable_not_zero() -> None:
    stuck = Trace.of(gpu_channel(), np.arange(0, 30, 0.1), np.full(300, 7.0))
    ledger = attribute(log_of(stuck), [span(0, 20)])
    assert ledger.total.joules is None
    assert Flag.STUCK_COUNTER in ledger.total.flags


def test_a_phase_too_short_for_the_counter_to_move_is_unavailable_not_zero() -> None:
    times = np.arange(0, 20, 0.1)
    slow = Trace.of(gpu_channel(), times, 1000 * np.floor((times + 1e-9) / 5))
    ledger = attribute(log_of(slow), [span(1, 15), span(16, 16.01, "recall")])
    assert ledger.phases["recall"].joules is None
    assert Flag.SHORT_WINDOW in ledger.phases["recall"].flags
    assert joules(ledger, "ingest") == pytest.approx(2800)
    assert ledger.total.joules == pytest.approx(2800)


def test_phases_that_alternate_faster_than_the_counter_are_modelled() -> None:
    spans = [
        span(n * 0.02, n * 0.02 + 0.01, "ingest" if n % 2 else "recall", event=n)
        for n in range(2500)
    ]
    phases = attribute(log_of(steady(100, 60)), spans).phases
    assert {figure.provenance for figure in phases.values()} == {Provenance.MODELLED}
    slower = [span(n * 2, n * 2 + 1.99, "ingest" if n % 2 else "recall") for n in range(25)]
    phases = attribute(log_of(steady(100, 60)), slower).phases
    assert {figure.provenance for figure in phases.values()} == {Provenance.MEASURED}


def test_a_phase_shorter_than_a_tick_is_no_better_known_than_itself() -> None:
    figure = attribute(log_of(steady(100, 60)), [span(10, 10.01)]).phases["ingest"]
    assert figure.provenance is Provenance.MODELLED
    assert figure.joules == pytest.approx(1.0)
    assert figure.u_joules == pytest.approx(1.0, rel=0.01)


def test_pauses_shorter_than_a_tick_do_not_multiply_the_uncertainty() -> None:
    whole = attribute(log_of(steady(100, 60)), [span(0, 50)]).phases["ingest"]
    parts = [span(n * 0.5, n * 0.5 + 0.499) for n in range(100)]
    split = attribute(log_of(steady(100, 60)), parts).phases["ingest"]
    assert split.provenance is Provenance.MEASURED
    assert split.u_joules == pytest.approx(whole.u_joules, rel=0.02)


def test_what_a_slow_counter_counted_is_spread_between_its_ticks() -> None:
    times = np.arange(0, 60.05, 0.1)
    slow = Trace.of(gpu_channel(), times, 100 * np.floor((times + 1e-9) / 2) * 2)
    ledger = attribute(log_of(slow), [span(2, 13), span(13, 24, "recall")])
    assert joules(ledger, "ingest") == pytest.approx(1100)
    assert joules(ledger, "recall") == pytest.approx(1100)


def test_a_device_that_others_use_is_modelled_in_the_phase_it_happened() -> None:
    event = FlagEvent("gpu:GPU-aaaa", 25.0, Flag.SHARED_GPU, "processes [4711]")
    log = log_of(steady(100, 60), flag_events=(event,))
    ledger = attribute(log, [span(0, 20), span(20, 40, "recall")])
    assert ledger.phases["ingest"].provenance is Provenance.MEASURED
    assert ledger.phases["recall"].provenance is Provenance.MODELLED
    assert ledger.total.provenance is Provenance.MODELLED


def test_sessions_of_a_resumed_run_add_up_and_nothing_between_them_counts() -> None:
    first, second = steady(100, 20), steady(100, 20, start=1000.0)
    ledger = attribute(log_of(first, second), [span(0, 20), span(1000, 1020, "recall")])
    assert ledger.total.joules == pytest.approx(4000)
    assert ledger.idle.joules == pytest.approx(0)


def test_a_run_with_a_judge_only_has_no_total() -> None:
    ledger = attribute(log_of(steady(100, 60)), [span(10, 20, "judge")])
    assert ledger.total.joules is None
    assert ledger.judge.joules == pytest.approx(1000)


# --- several channels --------------------------------------------------------------------------


def test_components_of_one_label_add_up_to_the_wider_boundary() -> None:
    parts = [
        replace(steady(w, 60), channel=gpu_channel(id=c, component=Component(c), method=c))
        for c, w in (("gpu", 100), ("cpu", 20), ("dram", 5))
    ]
    ledger = attribute(log_of(*parts), [span(0, 20)])
    assert ledger.total.joules == pytest.approx(2500)
    assert ledger.total.boundary == "B1"


def test_unlike_labels_add_up_only_on_request() -> None:
    guest = gpu_channel(id="cpu", component=Component.CPU, provenance=Provenance.MODELLED)
    log = log_of(steady(100, 60), replace(steady(20, 60), channel=guest))
    with pytest.raises(UnlikeFigures):
        attribute(log, [span(0, 20)])
    assert attribute(log, [span(0, 20)], allow_mixed=True).total.provenance is Provenance.MODELLED


# --- models ------------------------------------------------------------------------------------


def cpu_log(watts: float = 7.5) -> SampleLog:
    channel = Channel(
        "cpu", "cpu", Component.CPU, Provenance.MODELLED, "CPU seconds x W", "cpu_seconds",
        relative_sd=0.5, coefficients={"watts_per_core": watts},
    )  # fmt: skip
    return SampleLog(models=(channel,))


def test_cpu_seconds_times_watts_per_core_is_modelled_and_half_uncertain() -> None:
    ledger = attribute(cpu_log(), [span(0, 9, cpu_s=4.0), span(9, 10, "recall", cpu_s=2.0)])
    assert joules(ledger, "ingest") == pytest.approx(30)
    assert ledger.total.provenance is Provenance.MODELLED
    assert ledger.total.u_joules == pytest.approx(22.5)
    assert ledger.idle.joules is None


def test_cpu_seconds_that_were_not_counted_are_not_zero() -> None:
    ledger = attribute(cpu_log(), [span(0, 9), span(9, 10, "recall", cpu_s=2.0)])
    assert ledger.phases["ingest"].joules is None
    assert ledger.total.joules is None
    assert joules(ledger, "recall") == pytest.approx(15)


def test_abandoned_attempts_of_unknown_cost_are_not_zero() -> None:
    spans = [span(0, 9, cpu_s=4.0), span(9, 10, abandoned=True)]
    ledger = attribute(cpu_log(), spans)
    assert ledger.unattributed.joules is None
    known = attribute(cpu_log(), [spans[0], span(9, 10, cpu_s=1.0, abandoned=True)])
    assert known.unattributed.joules == pytest.approx(7.5)
    assert known.total.joules == pytest.approx(37.5)


# --- questions and roles -----------------------------------------------------------------------


def test_questions_of_a_phase_add_up_to_it_and_are_modelled() -> None:
    spans = [span(n, n + 1, "recall", case="c", event=n) for n in range(20)]
    questions = attribute(log_of(steady(100, 60)), spans).questions()
    assert len(questions) == 20
    assert math.fsum(q.figure.joules or 0 for q in questions) == pytest.approx(2000)
    assert {q.figure.provenance for q in questions} == {Provenance.MODELLED}


def test_a_long_question_on_an_idle_machine_is_measured() -> None:
    spans = [span(0, 15, "recall", event=1), span(20, 21, "recall", event=2)]
    long, short = attribute(log_of(steady(100, 60)), spans).questions()
    assert long.figure.provenance is Provenance.MEASURED
    assert short.figure.provenance is Provenance.MODELLED


def test_a_single_role_has_its_whole_phase_and_several_need_a_fit() -> None:
    one = [span(0, 10, usage={"memory": tokens(1000, 100)})]
    both = [span(0, 10, usage={"memory": tokens(1000, 100), "embedder": tokens(10)})]
    log = log_of(steady(100, 11))
    alone = attribute(log, one).roles["ingest"]["memory"]
    assert alone.joules == pytest.approx(1000)
    assert alone.provenance is Provenance.MODELLED
    assert attribute(log, both).roles["ingest"]["memory"].joules is None


# --- properties --------------------------------------------------------------------------------

moments = st.integers(0, 100_000).map(lambda milliseconds: milliseconds / 1000)


@st.composite
def spans_strategy(draw: st.DrawFn) -> list[Span]:
    phases = st.sampled_from(["ingest", "recall", "answer", "judge"])
    return [
        span(a, a + d, draw(phases), abandoned=draw(st.booleans()), event=n)
        for n, (a, d) in enumerate(
            draw(
                st.lists(
                    st.tuples(moments, moments.map(lambda seconds: seconds * 0.3)),
                    min_size=1,
                    max_size=12,
                )
            )
        )
    ]


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    steps = draw(st.lists(st.floats(-0.5, 8), min_size=2, max_size=40))
    rises = draw(st.lists(st.floats(0, 900), min_size=len(steps), max_size=len(steps)))
    return Trace.of(gpu_channel(), np.cumsum(steps), np.cumsum(rises))


@settings(deadline=None, max_examples=200)
@given(traces(), spans_strategy())
def test_nothing_is_created_or_lost(trace: Trace, spans: list[Span]) -> None:
    """Every bucket together is the counter, whatever the clock, gaps and overlaps did."""
    from membench.energy.attribution.integrate import CounterCurve, SpanTable, integrate

    curve = CounterCurve.of(trace)
    if curve is None:
        return
    integral = integrate(curve, SpanTable.of(spans))
    parts = [*integral.joules, integral.idle, integral.unattributed, integral.outside]
    assert math.fsum(parts) == pytest.approx(integral.counted, abs=1e-6)
    assert integral.counted == pytest.approx(trace.joules[-1] - trace.joules[0], abs=1e-6)
    assert min(parts) >= -1e-9


@settings(deadline=None, max_examples=100)
@given(spans_strategy())
def test_spans_of_a_bucket_add_up_to_it(spans: list[Span]) -> None:
    from membench.energy.attribution.integrate import CounterCurve, SpanTable, integrate

    curve = CounterCurve.of(steady(100, 140))
    assert curve is not None
    table = SpanTable.of(spans)
    integral = integrate(curve, table)
    for code in range(len(table.buckets)):
        mine = integral.spans[table.bucket == code]
        assert math.fsum(mine) == pytest.approx(integral.joules[code], abs=1e-6)


@settings(deadline=None, max_examples=100)
@given(traces(), spans_strategy())
def test_the_summary_conserves_wherever_everything_is_known(
    trace: Trace, spans: list[Span]
) -> None:
    summary = attribute(log_of(trace), spans).summary()
    phases = [phase.total for phase in summary.phases.values()]
    figures, total = [*phases, summary.idle, summary.unattributed], summary.total.joules
    if total is not None:
        known = math.fsum(figure.joules or 0.0 for figure in figures)
        assert known == pytest.approx(total, abs=1e-6)


@settings(deadline=None, max_examples=50)
@given(spans_strategy(), st.floats(1, 1000))
def test_joules_scale_with_power_and_uncertainty_with_them(spans: list[Span], watts: float) -> None:
    low, high = (attribute(log_of(steady(w, 140)), spans).total for w in (watts, 2 * watts))
    if low.joules is None or high.joules is None:
        assert low.joules is high.joules is None
        return
    assert high.joules == pytest.approx(2 * low.joules, abs=1e-6)
    assert low.u_joules is not None
    assert high.u_joules == pytest.approx(2 * low.u_joules, abs=1e-6)


# --- more than one machine ---------------------------------------------------------------------

HERE_AND_THERE = [span(0, 20), span(20, 40, "recall"), span(20, 40, "recall", node=1)]


def test_a_counter_says_nothing_of_a_phase_that_ran_partly_on_another_machine() -> None:
    ledger = attribute(log_of(steady(100, 60)), HERE_AND_THERE)
    recall = ledger.phases["recall"]
    assert recall.joules is None
    assert recall.flags >= {Flag.OTHER_NODE}
    assert "1 of 2 spans of recall ran on another machine" in recall.method
    assert ledger.total.joules is None
    assert Flag.OTHER_NODE in ledger.total.flags


def test_a_phase_that_ran_here_alone_keeps_its_joules() -> None:
    ledger = attribute(log_of(steady(100, 60)), HERE_AND_THERE)
    assert joules(ledger, "ingest") == pytest.approx(2000)
    assert ledger.phases["ingest"].provenance is Provenance.MEASURED


def test_work_elsewhere_takes_no_share_of_this_machine_and_leaves_it_idle() -> None:
    ledger = attribute(
        log_of(steady(100, 60)),
        [span(0, 20), span(0, 20, "recall", node=1), span(30, 50, "answer")],
    )
    assert joules(ledger, "ingest") == pytest.approx(2000)
    assert ledger.phases["ingest"].provenance is Provenance.MEASURED
    assert ledger.idle.joules == pytest.approx(1000)


def test_models_of_activity_cover_every_machine() -> None:
    channel = Channel(
        "cpu", "cpu", Component.CPU, Provenance.MODELLED, "declared", kind="cpu_seconds",
        relative_sd=0.5, coefficients={"watts_per_core": 10.0},
    )  # fmt: skip
    spans = [span(0, 20, cpu_s=2.0), span(0, 20, cpu_s=3.0, node=1)]
    assert joules(attribute(SampleLog(models=(channel,)), spans), "ingest") == pytest.approx(50)


def test_a_span_knows_its_machine_from_the_record() -> None:
    spans = [Span.of("recall", Telemetry(0.0, 1.0, node=node)) for node in (None, 0, 2)]
    assert [s.node for s in spans if s] == [0, 0, 2]
