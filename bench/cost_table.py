#!/usr/bin/env python3
"""Does the time grow as the work does? Nanoseconds a multiply-add over width, resolution and batch, beside a cost model.

Usage: cost_table.py LINNET [options]
  LINNET              the tool, build/release/linnet
  --network FAMILY    (default mobilenet_v2)
  --precision P       float32, bf16 or int8 (default float32)
  --threads N         (default 1)
  --quick             fewer resolutions and batches: a minute; the whole grid takes two for each of --passes
  --passes N          how often the grid is measured; the shorter time of a cell counts (default 2)
  --widths, --resolutions, --batches N,...   another grid

The model of an image's time is a sum of four costs that are not negative: of a multiply-add, of an output stored, of a
byte moved (weights and what every layer reads and writes), of a barrier (one a layer, and a share of one a run). They are
fitted to the table by least squares of the relative error. Prints Markdown; each cell is ns a multiply-add, then measured /
modelled. Flags, and exit status 1 if there are any: cells beyond 1.3 of the model (int8 and bf16), or beyond 2 times the
cheapest cell (float32), and neighbours that differ by 1.4 or more. A cell that others disturbed is measured again, twice
at most; what disturbs without being seen, another guest of the machine, is gone in another pass.
"""
import argparse
import itertools
import json
import pathlib
import subprocess
import sys
import tempfile

import quiet

WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.4)
RESOLUTIONS = (96, 128, 160, 224, 320, 448)
BATCHES = (1, 4, 16, 64)
QUICK = (WIDTHS, (96, 224, 448), (1, 8))
BYTES = {"float32": 4, "bf16": 2, "int8": 1}
COSTS = ("ns a multiply-add", "ns an output", "ns a byte", "ns a barrier")
MODEL_LIMIT = 1.3
FLOAT_LIMIT = 2.0
NEIGHBOUR_LIMIT = 1.4


def features(linnet, family, bytes_each):
    """Of one image: multiply-adds, outputs stored, bytes moved, barriers."""
    done = subprocess.run([linnet, "info", family, "--json"], check=True, stdout=subprocess.PIPE, text=True)
    layers = [layer for layer in json.loads(done.stdout)["layers"] if layer["macs"]]
    count = [sum(product(layer[key]) for layer in layers) for key in ("input", "output")]
    parameters = sum(layer["parameters"] for layer in layers)
    return [sum(layer["macs"] for layer in layers), count[1], (parameters + sum(count)) * bytes_each, len(layers)]


def product(shape):
    result = 1
    for n in shape:
        result *= n
    return result


def measure(linnet, model, precision, threads, batch, macs):
    """Milliseconds of one image."""
    # A third of a second at a rate that any machine of these days exceeds.
    runs = min(40, max(3, int(5e9 / (macs * batch))))
    command = [linnet, "bench", "--model", model, "--precision", precision, "--threads", threads, "--batch", batch,
               "--runs", runs, "--json"]
    best = None
    for _ in range(3):
        output, error, others = quiet.run(command, threads)
        if output is None:
            raise SystemExit(f"{' '.join(map(str, command))}: {error}")
        result = json.loads(output)
        best = min(filter(None, (best, result["median_ms"] / batch)))
        if not quiet.disturbed(others):
            return result["median_ms"] / batch
    return best


def fit(rows):
    """Costs >= 0 for [features, nanoseconds]: the least sum of squared relative errors, one cost after the other."""
    scaled = [[f / time for f in of] for of, time in rows]
    columns = list(zip(*scaled))
    gram = [[sum(x * y for x, y in zip(a, b)) for b in columns] for a in columns]
    costs = [0.0] * len(COSTS)
    for _ in range(100_000):
        for i, column in enumerate(columns):
            rest = sum(column) - sum(gram[i][j] * costs[j] for j in range(len(costs)) if j != i)
            costs[i] = max(0.0, rest / gram[i][i])
    return costs


def flags(table, ratios, grid, precision):
    found = []
    cheapest = min(table.values())
    for key, cost in table.items():
        name = "width {} resolution {} batch {}".format(*key)
        if precision == "float32" and cost > FLOAT_LIMIT * cheapest:
            found.append(f"{name}: {cost / cheapest:.2f} times the cheapest cell")
        if precision != "float32" and not 1 / MODEL_LIMIT <= ratios[key] <= MODEL_LIMIT:
            found.append(f"{name}: {ratios[key]:.2f} of the model")
        for axis, values in enumerate(grid):
            place = values.index(key[axis])
            if place + 1 == len(values):
                continue
            other = key[:axis] + (values[place + 1],) + key[axis + 1:]
            step = max(cost / table[other], table[other] / cost)
            if step >= NEIGHBOUR_LIMIT:
                found.append("{}: {:.2f} times as far as to width {} resolution {} batch {}".format(name, step, *other))
    return found


def model_of(arguments, width, resolution, folder):
    """The file of that network, written here, and its features()."""
    family = f"{arguments.network}:width={width},resolution={resolution}"
    model = folder / f"{width}-{resolution}.safetensors"
    # How well int8 fits does not matter here, so it is chosen in the fastest way.
    command = (["quantize", "--model", family, "--method", "minmax", "--no-weight-search", "--no-bias-correction", "-o", model]
               if arguments.precision == "int8" else ["convert", family, model])
    subprocess.run([arguments.linnet, *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return model, features(arguments.linnet, family, BYTES[arguments.precision])


def main(arguments):
    quick = QUICK if arguments.quick else (WIDTHS, RESOLUTIONS, BATCHES)
    grid = tuple(given or default for given, default in zip((arguments.widths, arguments.resolutions, arguments.batches), quick))
    times, of = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        models = {}
        for width, resolution in itertools.product(*grid[:2]):
            models[width, resolution] = model_of(arguments, width, resolution, pathlib.Path(folder))
        for number in range(arguments.passes):
            for (width, resolution), (model, work) in models.items():
                for batch in grid[2]:
                    key = width, resolution, batch
                    time = 1e6 * measure(arguments.linnet, model, arguments.precision, arguments.threads, batch, work[0])
                    times[key] = min(time, times.get(key, time))
                    of[key] = work[:3] + [work[3] + 1 / batch]
                print(f"pass {number + 1}, width {width} resolution {resolution}", file=sys.stderr, flush=True)
    costs = fit([(of[key], times[key]) for key in times])
    ratios = {key: times[key] / sum(c * f for c, f in zip(costs, of[key])) for key in times}
    table = {key: times[key] / of[key][0] for key in times}
    print(f"{arguments.network}, {arguments.precision}, {arguments.threads} thread{'s' if arguments.threads > 1 else ''}; "
          "ns a multiply-add (measured / modelled)\n")
    print("| width | resolution | " + " | ".join(f"batch {b}" for b in grid[2]) + " |")
    print("|--:|--:|" + "--:|" * len(grid[2]))
    for width in grid[0]:
        for resolution in grid[1]:
            cells = (f"{table[width, resolution, b]:.4f} ({ratios[width, resolution, b]:.2f})" for b in grid[2])
            print(f"| {width} | {resolution} | {' | '.join(cells)} |")
    print("\nThe model: " + ", ".join(f"{cost:.4g} {name}" for cost, name in zip(costs, COSTS)) + ".")
    print(f"From the cheapest to the dearest cell {max(table.values()) / min(table.values()):.2f}x; of the model "
          f"{min(ratios.values()):.2f} to {max(ratios.values()):.2f}.")
    found = flags(table, ratios, grid, arguments.precision)
    for line in found:
        print(f"FLAG: {line}")
    return 1 if found else 0


if __name__ == "__main__":
    def numbers(kind):
        return lambda text: tuple(kind(word) for word in text.split(","))

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage=argparse.SUPPRESS)
    options = {"help": argparse.SUPPRESS}
    parser.add_argument("linnet", **options)
    parser.add_argument("--network", default="mobilenet_v2", **options)
    parser.add_argument("--precision", choices=BYTES, default="float32", **options)
    parser.add_argument("--threads", type=int, default=1, **options)
    parser.add_argument("--quick", action="store_true", **options)
    parser.add_argument("--passes", type=int, default=2, **options)
    parser.add_argument("--widths", type=numbers(float), **options)
    parser.add_argument("--resolutions", type=numbers(int), **options)
    parser.add_argument("--batches", type=numbers(int), **options)
    sys.exit(main(parser.parse_args()))
