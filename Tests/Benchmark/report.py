#!/usr/bin/python3
"""report.py SAMPLES MODE VERSION...: makes tables of what podreap-benchmark has measured, and prints them.

With --write as MODE, also writes results.md, results.json and pictures/speed.svg beside itself. VERSION... are lines that say
what took part.
"""
import datetime
import json
import os
import platform
import statistics
import sys

sys.dont_write_bytecode = True
import plot  # noqa: E402

HERE = os.path.dirname(os.path.realpath(__file__))
TREE = os.path.join(HERE, "../..")
CONTESTANTS = ["floor", "library", "daemon, server side", "daemon, client side", "command line", "shell script",
               "containerd", "podman"]
# What the numbers are of.
CONTEST = """All take turns in one run. The *floor* is a small C program that makes the same calls of runc and of the kernel with the
same parallelism, as root, without a registry, a check or a second process: what removing a pod costs at the least. The
*library* and the *daemon* (its own reports' time) have their helpers running; the *command line* starts a program and a
helper each time, and ends with a checkpoint of its registry. Medians:
"""


class Samples:
    """What one who has measured in one row of one part: the median, and the range."""

    def __init__(self, measurement):
        values = measurement["samples"]
        self.unit, self.count = measurement["unit"], len(values)
        self.median, self.least, self.most = statistics.median(values), min(values), max(values)

    def __str__(self):
        return f"{number(self.median)} ({number(self.least)}–{number(self.most)})"


def number(value):
    """Three significant digits, as far as they lie before or two behind the point."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


class Results:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.parts = {}
            for entry in json.load(file)["measurements"]:
                self.parts.setdefault(entry["part"], {}).setdefault(entry["row"], {})[entry["who"]] = Samples(entry)

    def rows(self, *parts):
        return {row: found for part in parts for row, found in self.parts.get(part, {}).items()}


def removals(results):
    """Milliseconds, by the contestants that took part."""
    rows = results.rows("removal", "many")
    present = [who for who in CONTESTANTS if any(who in row for row in rows.values())]
    table = [["median (min–max), ms"] + present]
    for name, row in rows.items():
        cells = []
        for who in present:
            cell = str(row[who]) if who in row else "-"
            if who != "floor" and who in row:
                cell += f" ×{row[who].median / row['floor'].median:.2f}"
            cells.append(cell)
        table.append([name] + cells)
    return table


def against(rows, whos, reference, unit):
    """Rows of a part, the last of whos being the reference that ratios are to."""
    table = [[unit] + [who for who in whos]]
    for name, row in rows.items():
        cells = []
        for who in whos:
            cell = str(row[who]) if who in row else "-"
            if who != reference and who in row and reference in row:
                cell += f" ×{row[who].median / row[reference].median:.2f}"
            cells.append(cell)
        table.append([name] + cells)
    return table


def steps(results):
    verbs = ["mark", "end", "delete", "unmount", "remove-directory", "delete-namespace", "release-name"]
    table = [["ms in which at least one ran"] + verbs + ["runtime and its processes", "whole"]]
    for name, row in results.rows("steps").items():
        share = row["end or delete"].median / row["whole"].median
        cells = [number(row[verb].median) if verb in row else "-" for verb in verbs]
        table.append([name] + cells + [f"{share:.0%}", number(row["whole"].median)])
    return table


def tables(results):
    """(title, table) pairs of the parts that were measured."""
    found = [
        ("Removal of a pod whose containers run; × the floor", removals(results)),
        ("Where the library's time goes", steps(results)),
        ("A directory's removal; × rm -rf",
         against(results.rows("trees"), ["podreap, one helper", "podreap, two helpers", "rm -rf"], "rm -rf", "ms")),
        ("The helper, and a C program that only answers",
         against(results.rows("helper"), ["helper", "C program"], "C program", "µs, ms, KiB")),
        ("The registry, one operation",
         against(results.rows("registry"), ["register", "look up a prefix", "remove"], None, "µs")),
        ("From start to end", against(results.rows("ps"), ["podreap ps", "podman ps"], None, "ms")),
        ("Resident memory", against(results.rows("memory"), ["podreapd", "containerd"], None, "MiB")),
    ]
    return [(title, table) for title, table in found if len(table) > 1]


def aims(results):
    """What is aimed at, what was measured, and whether that is met."""
    table = [["aim", "measured", "met"]]

    def add(aim, values, meets, form=lambda value: f"{value:.2f}"):
        values = [value for value in values if value is not None]
        if values:
            shown = form(min(values)) if len(values) == 1 else f"{form(min(values))} to {form(max(values))}"
            table.append([aim, shown, "yes" if all(meets(value) for value in values) else "no"])

    def ratio(row, who, other):
        return row[who].median / row[other].median if who in row and other in row else None

    one, many = results.rows("removal").values(), results.rows("many").values()
    for who in ("library", "daemon, server side"):
        add(f"{who}: at most 1.15 times the floor", [ratio(row, who, "floor") for row in one], lambda x: x <= 1.15)
    add("command line: at most 20 ms more than the floor",
        [row["command line"].median - row["floor"].median for row in one], lambda x: x <= 20, lambda x: f"{x:.1f} ms")
    for other, least in (("containerd", 5), ("podman", 8)):
        add(f"library: at least {least} times faster than {other}",
            [ratio(row, other, "library") for row in one], lambda x, least=least: x >= least)
    add("20 and 100 pods at once: at least 4 times faster than containerd",
        [ratio(row, "containerd", "library") for row in many], lambda x: x >= 4)
    add("the runtime's part of the time: over 80 %",
        [ratio(row, "end or delete", "whole") for row in results.rows("steps").values()],
        lambda x: x > 0.8, lambda x: f"{x:.0%}")
    trees = results.rows("trees").values()
    add("trees, one helper: at most 1.0 times rm -rf",
        [ratio(row, "podreap, one helper", "rm -rf") for row in trees], lambda x: x <= 1)
    add("trees, two helpers: at most 0.7 times rm -rf",
        [ratio(row, "podreap, two helpers", "rm -rf") for row in trees], lambda x: x <= 0.7)
    for name, row in results.rows("helper").items():
        if "nothing is mounted" in name:
            continue  # The C program looks at nothing.
        add(f"helper, {name}: at most 1.3 times the C program's", [ratio(row, "helper", "C program")], lambda x: x <= 1.3)
    registry = list(results.rows("registry").values())
    for what in ("register", "look up a prefix", "remove"):
        if registry:
            add(f"registry, {what}: as long with most sandboxes as with fewest (×, within 1.5)",
                [registry[-1][what].median / registry[0][what].median], lambda x: x <= 1.5)
    for row in results.rows("ps").values():
        add("podreap ps: under 15 ms", [row["podreap ps"].median], lambda x: x < 15, lambda x: f"{x:.1f} ms")
    memory = results.rows("memory")
    for kind in ("resident", "anonymous"):
        idle = memory.get(f"idle, {kind}", {})
        if "containerd" in idle:
            add(f"daemon, {kind} memory: less than half of containerd's",
                [row["podreapd"].median / idle["containerd"].median for name, row in memory.items() if kind in name],
                lambda x: x < 0.5)
    return table


def text(table):
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = []
    for row in table:
        cells = [cell.ljust(width) if index == 0 else cell.rjust(width)
                 for index, (cell, width) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def markdown(table):
    lines = ["| " + " | ".join(row) + " |" for row in table]
    lines.insert(1, "|---|" + "---:|" * (len(table[0]) - 1))
    return "\n".join(lines)


def machine(versions):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    processor = names[0] if names else platform.machine()
    return (f"{datetime.date.today()}, {os.cpu_count()} cores ({processor}), Linux {platform.release().split('-')[0]}, "
            + ", ".join(versions))


def summary(results):
    """Medians of the rows that say most."""
    rows = {name: row for name, row in results.rows("removal", "many").items() if "TERM" not in name}
    who = [("floor", "floor"), ("library", "library"), ("daemon, server side", "daemon"),
           ("command line", "command line"), ("shell script", "shell script"), ("containerd", "containerd"),
           ("podman", "podman")]
    present = [(key, name) for key, name in who if any(key in row for row in rows.values())]
    table = [["pod, ms"] + [name for _, name in present]]
    for name, row in rows.items():
        table.append([name] + [number(row[key].median) if key in row else "-" for key, _ in present])
    return table


def main(path, mode, *versions):
    results = Results(path)
    title = machine(versions)
    parts = tables(results) + [("Aims", aims(results))]
    print(title)
    for name, table in parts:
        print(f"\n{name}\n\n{text(table)}")
    if mode != "--write":
        return
    with open(os.path.join(HERE, "results.md"), "w", encoding="utf-8") as file:
        file.write(f"# What `make bench` measured\n\n{title}.\n\n{CONTEST}\n{markdown(summary(results))}\n\n"
                   "![The same as a plot: each contestant's median with its least and most, on a logarithmic axis.]"
                   "(pictures/speed.svg)\n\nWhat follows has medians, and the least and the most.\n")
        for name, table in parts:
            file.write(f"\n## {name}\n\n{markdown(table)}\n")
    with open(os.path.join(HERE, "results.json"), "w", encoding="utf-8") as file:
        found = {part: {row: {who: vars(samples) for who, samples in whos.items()} for row, whos in rows.items()}
                 for part, rows in results.parts.items()}
        json.dump({"measured": title, "parts": found}, file, indent=1, sort_keys=True)
        file.write("\n")
    plot.write(os.path.join(TREE, "Tests/Benchmark/pictures/speed.svg"), results.rows("removal", "many"), CONTESTANTS, title)


if __name__ == "__main__":
    main(*sys.argv[1:])
