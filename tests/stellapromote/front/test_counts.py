"""What the front counts of its requests (docs/adr/0243)."""

from stellapromote.front.counts import BOUNDS, RequestCounts


def test_a_duration_counts_up_to_the_first_bound_that_holds_it() -> None:
    counts = RequestCounts()
    for seconds in (0.001, BOUNDS[0], 0.3, BOUNDS[-1], 11.0):
        counts.count("GET", "promotions", 200, seconds)
    report = counts.report()
    [[method, route, status, numbers, total]] = report["series"]
    assert (method, route, status) == ("GET", "promotions", "2xx")
    assert dict(zip([*report["bounds"], "beyond"], numbers, strict=True)) == {
        **dict.fromkeys(BOUNDS, 0), BOUNDS[0]: 2, 0.5: 1, BOUNDS[-1]: 1, "beyond": 1,
    }  # fmt: skip
    assert total == 0.001 + BOUNDS[0] + 0.3 + BOUNDS[-1] + 11.0


def test_route_method_and_class_of_status_make_a_series() -> None:
    counts = RequestCounts()
    for method, route, status in (("GET", "a", 200), ("GET", "a", 204), ("GET", "a", 404), ("POST", "a", 200)):
        counts.count(method, route, status, 0.1)
    counts.count("GET", "b", 503, 0.1)
    found = {tuple(series[:3]): sum(series[3]) for series in counts.report()["series"]}
    assert found == {
        ("GET", "a", "2xx"): 2, ("GET", "a", "4xx"): 1, ("POST", "a", "2xx"): 1, ("GET", "b", "5xx"): 1,
    }  # fmt: skip


def test_strangers_make_no_series_by_methods_of_their_own() -> None:
    counts = RequestCounts()
    for number in range(100):
        counts.count(f"METHOD{number}", "a", 405, 0.1)
    [[method, *_]] = counts.report()["series"]
    assert method == "other"


def test_a_report_does_not_change_with_later_requests() -> None:
    counts = RequestCounts()
    counts.count("GET", "a", 200, 0.1)
    report = counts.report()
    counts.count("GET", "a", 200, 0.1)
    assert sum(report["series"][0][3]) == 1
