"""Draws how long removals take: a dot at each contestant's median, a line from the least to the most, on a logarithmic axis."""
import math
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, TOP, LINE, GAP = 860, 230, 70, 64, 19, 30
# Those that are podreap are filled, the others hollow.
OWN = {"library", "daemon, server side", "daemon, client side", "command line"}
STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
  .small { font-size: 11.5px; fill: #59636e; }
  .head { font-weight: 600; }
  .grid { stroke: #d1d9e0; stroke-width: 1; }
  .own { stroke: #0969da; fill: #0969da; }
  .other { stroke: #6e7781; fill: #ffffff; }
  .floor { stroke: #1a7f37; fill: #1a7f37; }
  .range { stroke-width: 2; }
  .dot { stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .own { stroke: #4493f8; fill: #4493f8; }
    .other { stroke: #9198a1; fill: #0d1117; }
    .floor { stroke: #3fb950; fill: #3fb950; }
  }
"""


def text(x, y, words, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def write(path, rows, contestants, title):
    """rows: {name: {contestant: samples with median, least, most}} in milliseconds."""
    rows = {name: row for name, row in rows.items() if "TERM" not in name}
    values = [value for row in rows.values() for found in row.values() for value in (found.least, found.most)]
    least = 10 ** math.floor(math.log10(min(values)))
    most = 10 ** math.ceil(math.log10(max(values)))
    height = TOP + sum(GAP + LINE * len(row) for row in rows.values()) + 24

    def at(value):
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(value / least) / math.log(most / least)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
           f'role="img" aria-label="How long removals take">', f"<style>{STYLE}</style>",
           text(12, 22, "How long a pod's removal takes, in milliseconds", "head"),
           text(12, 40, title.split(" (")[0] + "; median, least and most; less is better", "small")]
    tick = least
    while tick <= most:
        for step in (1, 2, 5):
            if tick * step <= most:
                x = at(tick * step)
                out.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{height - 20}"/>')
                out.append(text(x, height - 6, f"{tick * step:g}", "small", "middle"))
        tick *= 10
    y = TOP
    for name, row in rows.items():
        y += GAP - 8
        out.append(text(12, y, name, "head"))
        y += 8
        for who in contestants:
            if who not in row:
                continue
            found = row[who]
            kind = "floor" if who == "floor" else "own" if who in OWN else "other"
            middle = y + LINE / 2 - 2
            label = {"floor": "floor, in C as root"}.get(who, f"podreap: {who}" if who in OWN else who)
            out.append(text(LEFT - 12, middle + 4, label, "", "end"))
            out.append(f'<line class="range {kind}" x1="{at(found.least):.1f}" x2="{at(found.most):.1f}" '
                       f'y1="{middle:.1f}" y2="{middle:.1f}"/>')
            out.append(f'<circle class="dot {kind}" cx="{at(found.median):.1f}" cy="{middle:.1f}" r="4"/>')
            out.append(text(at(found.most) + 8, middle + 4, f"{found.median:.0f}", "small"))
            y += LINE
    out.append("</svg>")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")
