"""The table of infra/bench.sh sale, its JSON and its charts."""
import json
import statistics
from html import escape

from targets import TARGETS


def median(found, name, figure):
    return statistics.median(run[figure] for run in found[name])


def spread(values):
    return f"{statistics.median(values):,.4g} ({min(values):,.4g}-{max(values):,.4g})"


def write(found, circumstances, results):
    print(f"\n{'':34} {'per second':>26} {'p50 ms':>8} {'p99 ms':>8} {'stockd µs':>10} {'Redis µs':>9}"
          f" {'PG µs':>8} {'a batch':>8}")
    for name, runs in found.items():
        if "per_s" not in runs[0]:
            continue
        rates = [run["per_s"] or run.get("sold_out_per_s", 0) for run in runs]

        def middle(figure):
            return statistics.median(run[figure] for run in runs) if figure in runs[0] else None
        cells = [middle("p50_ms"), middle("p99_ms"), middle("stockd_us"), middle("redis_us"),
                 middle("postgres_us"), middle("batch")]
        texts = ["" if cell is None else f"{cell:,.2f}" for cell in cells]
        print(f"{name:34} {spread(rates):>26} {texts[0]:>8} {texts[1]:>8} {texts[2]:>10} {texts[3]:>9}"
              f" {texts[4]:>8} {texts[5]:>8}")
    print(f"\n{'':66} {'measured':>26} {'target':>10}")
    rows = []
    for what, comparison, target, unit, measure in TARGETS:
        try:
            values = measure(found)
        except KeyError:
            continue
        values = values if isinstance(values, list) else [values]
        middle = statistics.median(values)
        met = middle <= target if comparison == "<=" else middle >= target
        sign = "≤" if comparison == "<=" else "≥"
        print(f"{what:66} {spread(values):>26} {sign}{target:g}{unit:4} {'met' if met else 'MISSED'}")
        rows.append({"what": what, "measured": values, "target": f"{comparison} {target}{unit}", "met": met})
    with open(f"{results}/sale.json", "w", encoding="utf-8") as output:
        json.dump({"circumstances": circumstances, "points": found, "targets": rows}, output,
                  ensure_ascii=False, indent=1)
    bars(f"{results}/sale-crowd.svg", "64 callers, one call each: reserves per second", [
        ("PostgreSQL row locks", median(found, "row locks, 64", "per_s")),
        ("row locks, one statement", median(found, "row locks in one statement, 64", "per_s")),
        ("Redis, a script a call", median(found, "direct, 64", "per_s")),
        ("StockStream", median(found, "64x1", "per_s"))])
    bars(f"{results}/sale-ceiling.svg", "Reserves per second, and Redis's own limit", [
        ("64×1", median(found, "64x1", "per_s")), ("8×32", median(found, "8x32", "per_s")),
        ("its ceiling", median(found, "ceiling of 8x32", "per_s")),
        ("BatchReserve 4×1,024", median(found, "BatchReserve 4x1024", "per_s")),
        ("its ceiling ", median(found, "ceiling of BatchReserve", "per_s"))])
    bars(f"{results}/sale-cpu.svg", "CPU-µs per reserve", [
        (f"{label}, {process}", median(found, name, figure))
        for label, name in (("64×1", "64x1"), ("8×32", "8x32"), ("BatchReserve", "BatchReserve 4x1024"))
        for process, figure in (("stockd", "stockd_us"), ("Redis", "redis_us"))])
    print(f"\n{results}/sale.json, sale-crowd.svg, sale-ceiling.svg, sale-cpu.svg")


def bars(path, title, rows):
    """A chart of horizontal bars, each with its figure."""
    longest = max(value for _, value in rows) or 1
    height = 60 + 34 * len(rows)
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif"'
             f' width="760" height="{height}">',
             '<rect width="100%" height="100%" fill="#fff"/>',
             f'<text x="20" y="32" font-size="18" fill="#222">{escape(title)}</text>']
    for place, (label, value) in enumerate(rows):
        y, width = 56 + 34 * place, max(2, 420 * value / longest)
        color = "#2f6fdf" if "StockStream" in label or "×" in label or "Batch" in label else "#9aa5b1"
        parts += [f'<text x="200" y="{y + 15}" font-size="14" text-anchor="end" fill="#333">'
                  f'{escape(label)}</text>',
                  f'<rect x="210" y="{y}" width="{width:.1f}" height="22" rx="3" fill="{color}"/>',
                  f'<text x="{218 + width:.1f}" y="{y + 15}" font-size="13" fill="#333">{value:,.4g}</text>']
    with open(path, "w", encoding="utf-8") as output:
        output.write("\n".join(parts + ["</svg>\n"]))
