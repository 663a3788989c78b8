#!/usr/bin/env python3
"""curves.py RUN [OUT.svg]: draws the training curves of a run folder (its metrics.jsonl) as an SVG image: the loss, and
top-1 on the training and validation images, over the epochs of the float phase and of qat after it. Python's standard
library alone; without OUT.svg, the image goes to stdout."""
import json
import math
import os
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, TOP, GAP = 420, 260, 56, 40, 70  # of one panel, in pixels
COLORS = {'loss': '#b3261e', 'top1': '#1f5fa8', 'validation_top1': '#2e7d32'}
LABELS = {'loss': 'loss', 'top1': 'top-1, training images', 'validation_top1': 'top-1, validation images'}


def read(path):
    """Records of epochs, in order, with `x`: epochs since the start, over the phases."""
    with open(path, encoding='utf-8') as file:
        records = [json.loads(line) for line in file]
    epochs = [r for r in records if 'epoch' in r]
    for x, record in enumerate(epochs, 1):
        record['x'] = x
    return epochs


def ticks(low, high):
    """Four to nine multiples of a round number, from low to high."""
    step = 10.0 ** math.floor(math.log10((high - low) / 4))
    step *= max(f for f in (1, 2, 5) if f * step <= (high - low) / 4 or f == 1)
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def panel(number, title, series, phases, y_low, y_high):
    """One diagram as SVG text. series: name -> [(x, y)]; phases: [(name, first x, last x)]."""
    x0, x_max = LEFT + number * (WIDTH + GAP), phases[-1][2]
    fx = lambda x: x0 + WIDTH * (x - 1) / max(1, x_max - 1)
    fy = lambda y: TOP + HEIGHT * (y_high - y) / (y_high - y_low)
    out = [f'<text x="{x0}" y="{TOP - 18}" font-weight="bold">{escape(title)}</text>']
    for y in ticks(y_low, y_high):
        out.append(f'<path d="M{x0} {fy(y):.1f}h{WIDTH}" stroke="#ddd"/>'
                   f'<text x="{x0 - 6}" y="{fy(y) + 4:.1f}" text-anchor="end">{y:g}</text>')
    for name, first, last in phases:
        if first > 1:
            border = (fx(first) + fx(first - 1)) / 2
            out.append(f'<path d="M{border:.1f} {TOP}v{HEIGHT}" stroke="#888" stroke-dasharray="4 3"/>')
        out.append(f'<text x="{(fx(first) + fx(last)) / 2:.1f}" y="{TOP + HEIGHT + 34}" text-anchor="middle">'
                   f'{escape(name)}, {last - first + 1} epochs</text>')
    for x in sorted({1, x_max} | {int(t) for t in ticks(1, x_max + 1) if t == int(t) and x_max / 12 < t < x_max * 11 / 12}):
        out.append(f'<text x="{fx(x):.1f}" y="{TOP + HEIGHT + 17}" text-anchor="middle">{x}</text>')
    for row, (name, points) in enumerate(series.items()):
        line = ' '.join(f'{fx(x):.1f},{fy(y):.1f}' for x, y in points)
        out.append(f'<polyline points="{line}" fill="none" stroke="{COLORS[name]}" stroke-width="1.8"/>')
        out += [f'<circle cx="{fx(x):.1f}" cy="{fy(y):.1f}" r="1.8" fill="{COLORS[name]}"/>' for x, y in points]
        out.append(f'<text x="{x0 + WIDTH - 6}" y="{TOP + HEIGHT - 10 - 16 * row}" text-anchor="end" '
                   f'fill="{COLORS[name]}">{LABELS[name]}: {points[-1][1]:.4g} at the end</text>')
    out.append(f'<rect x="{x0}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#444"/>')
    return '\n'.join(out)


def draw(title, epochs):
    phases = []
    for record in epochs:
        if phases and phases[-1][0] == record['phase']:
            phases[-1][2] = record['x']
        else:
            phases.append([record['phase'], record['x'], record['x']])
    series = {name: [(r['x'], r[name]) for r in epochs if name in r] for name in COLORS}
    series = {name: points for name, points in series.items() if points}
    losses = {'loss': series.pop('loss')}
    accuracies = [y for points in series.values() for _, y in points]
    low = 10 * int(min(accuracies) / 10) if max(accuracies) - min(accuracies) > 5 else min(99, int(min(accuracies)))
    size = f'width="{2 * (LEFT + WIDTH) + GAP - LEFT + 16}" height="{TOP + HEIGHT + 50}"'
    return '\n'.join([
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        panel(0, f'{title}: loss', losses, phases, 0, 1.05 * max(y for _, y in losses['loss'])),
        panel(1, f'{title}: top-1, %', series, phases, low, 100), '</svg>', ''])


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith('-'):
        print(__doc__, file=sys.stderr)
        return 2
    path = os.path.join(sys.argv[1], 'metrics.jsonl')
    try:
        epochs = read(path)
    except (OSError, ValueError) as error:
        print(f'error: {path}: {error}', file=sys.stderr)
        return 1
    if not epochs:
        print(f'error: {path} has no epoch yet', file=sys.stderr)
        return 1
    image = draw(os.path.basename(os.path.normpath(sys.argv[1])), epochs)
    if len(sys.argv) == 3:
        with open(sys.argv[2], 'w', encoding='utf-8') as file:
            file.write(image)
    else:
        sys.stdout.write(image)
    return 0


if __name__ == '__main__':
    sys.exit(main())
