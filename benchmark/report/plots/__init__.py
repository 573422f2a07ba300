"""The report's pictures: functions of a `Table` that return a matplotlib Figure, or None.

    from benchmark import register_plot

    @register_plot("time_by_method")
    def time_by_method(table): ...

A package offers one by the entry-point group `bench.plots`. The report writes it as NAME.png.
"""

TABLE = {
    "quality_over_time": "benchmark.report.plots.quality_over_time:quality_over_time",
    "lam_over_time": "benchmark.report.plots.lam_over_time:lam_over_time",
    "time_to_quality": "benchmark.report.plots.time_to_quality:time_to_quality",
    "ranks": "benchmark.report.plots.ranks:ranks",
    "optimism": "benchmark.report.plots.optimism:optimism",
    "curves": "benchmark.report.plots.curves:curves",
    "where_time_went": "benchmark.report.plots.where_time_went:where_time_went",
    "samples": "benchmark.report.plots.samples:samples",
    "fid_against_clip": "benchmark.report.plots.trade_off:trade_off",
}
FROM_FRAME = ("fid_against_clip",)
"""Those that read no runs, and so can be drawn again from a runs.csv."""
