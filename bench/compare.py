#!/usr/bin/env python3
"""Linnet beside other engines, all in turn on one machine: the tables of docs/bench.md.

Usage: compare.py LINNET [options]
  LINNET              the tool, build/release/linnet; the peers' drivers lie beside it where LINNET_PEERS built them
  --networks N,...    of V1, V2, V3-Large, V3-Small, V4-Conv-S, V4-Conv-M (default: the first four)
  --precisions P,...  of float32, int8, bf16 (default: all)
  --engines E,...     of linnet, xnnpack, onednn, onnxruntime (default: all that are found)
  --threads N,...     (default: 1,2)
  --resolution N      (default 224)
  --rounds N          how often each is measured, all in turn; the median of the clean rounds counts (default 4)
  --runs N            inferences a measurement (default 40)
  --isas              every instruction set of this machine, Linnet alone: is int8 never slower than float32?

ONNX Runtime runs where node finds onnxruntime-node (NODE_PATH). Every engine gets the same weights, the same image in
float32 and the same cores, and is timed only if its scores are Linnet's: float32 within 1e-3 of the largest, int8 and bf16,
which every engine rounds in its own way, within 0.1. A share is of the multiply-adds that the same core did in registers
right before and after, in the precision's own arithmetic; ONNX Runtime's, which cannot take them, is of the other
engines' in the same round. A round in which other programs took more than 5 % of the time is repeated, and if that does not
help, counted and marked with *. The time of two threads depends on how far apart the cores lie (nanoseconds for a cache
line to go and come back), which changes: rounds of half or twice the usual distance are left out. Prints Markdown. Exit status: 0 if Linnet's int8
is nowhere slower than its float32 and all scores agree, else 1.
"""
import argparse
import array
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

import quiet

FAMILIES = {
    "V1": "mobilenet_v1",
    "V2": "mobilenet_v2",
    "V3-Large": "mobilenet_v3_large",
    "V3-Small": "mobilenet_v3_small",
    "V4-Conv-S": "mobilenet_v4_conv_small",
    "V4-Conv-M": "mobilenet_v4_conv_medium",
}
PRECISIONS = ("float32", "int8", "bf16")
ENGINES = {"linnet": "Linnet", "xnnpack": "XNNPACK", "onednn": "oneDNN", "onnxruntime": "ONNX Runtime"}
ABLE = {"xnnpack": ("float32", "int8"), "onednn": PRECISIONS, "onnxruntime": ("float32", "int8")}
NODE_DRIVER = pathlib.Path(__file__).resolve().parent / "peers" / "onnxruntime.cjs"
TOLERANCE = {"float32": 1e-3, "int8": 0.1, "bf16": 0.1}


def say(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, arguments, folder):
        self.arguments = arguments
        self.folder = pathlib.Path(folder)
        self.drivers = pathlib.Path(arguments.linnet).resolve().parent / "peers"
        self.image = self.folder / "image"
        draw = random.Random(1)
        self.image.write_bytes(array.array("f", (draw.uniform(-1, 1) for _ in range(3 * arguments.resolution ** 2))).tobytes())
        self.refused = set()

    def found(self, engine):
        if engine == "linnet":
            return True
        if engine == "onnxruntime":
            done = subprocess.run(["node", "-e", "require.resolve('onnxruntime-node')"], stderr=subprocess.DEVNULL)
            return done.returncode == 0
        return (self.drivers / f"peer_{engine}").exists()

    def model(self, network, precision, suffix):
        """The file in that format, written when it is first asked for."""
        kind = "int8" if precision == "int8" else "float32"
        path = self.folder / f"{network}.{kind}{suffix}"
        if not path.exists():
            family = f"{FAMILIES[network]}:resolution={self.arguments.resolution}"
            command = ["quantize", "--model", family, "-o", path] if kind == "int8" else ["convert", family, path]
            subprocess.run([self.arguments.linnet, *command], check=True, stdout=subprocess.DEVNULL)
        return path

    def run(self, command, threads, environment=None):
        """Its JSON, with "disturbed"; a text where it fails."""
        output, error, others = quiet.run(command, threads, {"OMP_PROC_BIND": "true", **(environment or {})})
        return error if output is None else dict(json.loads(output), disturbed=quiet.disturbed(others))

    def command(self, engine, network, precision, threads, runs):
        if engine == "linnet":
            return [self.arguments.linnet, "bench", "--model", self.model(network, precision, ".safetensors"), "--precision",
                    precision, "--threads", threads, "--runs", runs, "--json"]
        if engine == "onnxruntime":
            return ["node", NODE_DRIVER, self.model(network, precision, ".onnx"), "--threads", threads, "--runs", runs,
                    "--image", self.image]
        return [self.drivers / f"peer_{engine}", self.model(network, precision, ".safetensors"), "--precision", precision,
                "--threads", threads, "--runs", runs, "--image", self.image]

    def scores(self, engine, network, precision):
        path = self.folder / "scores"
        command = self.command(engine, network, precision, 1, 0)
        if engine == "linnet":  # in float32, which bf16 is compared with too
            command = [self.drivers / "peer_linnet", self.model(network, precision, ".safetensors"), "--runs", 0, "--image", self.image]
        result = self.run([*command, "--scores", path], 1)
        if isinstance(result, str):
            return result
        return array.array("f", path.read_bytes())

    def agrees(self, engine, network, precision):
        """Whether the engine computes what Linnet does; what it says if it cannot."""
        ours, theirs = (self.scores(e, network, precision) for e in ("linnet", engine))
        for scores in (ours, theirs):
            if isinstance(scores, str):
                say(f"{network} {precision}: {scores}")
                return None
        largest = max(map(abs, ours))
        difference = max(abs(a - b) for a, b in zip(ours, theirs)) / largest
        best = [max(range(len(s)), key=s.__getitem__) for s in (ours, theirs)]
        fits = len(ours) == len(theirs) and difference <= TOLERANCE[precision]
        say(f"{network} {precision} {ENGINES[engine]}: scores differ by {difference:.1e} of the largest, "
            f"{'the same' if best[0] == best[1] else 'another'} top-1{'' if fits else ': NOT TIMED'}")
        return fits


def rounds_of(bench, subjects, threads):
    """subjects: (key, command, environment). Each measured in turn, in every round; key -> its clean results."""
    results = {key: [] for key, _, _ in subjects}
    wanted = bench.arguments.rounds
    for number in range(2 * wanted):
        if all(sum(not r["disturbed"] for r in rs) >= wanted for rs in results.values()):
            break
        ceilings = {}
        order = subjects if number % 2 == 0 else subjects[::-1]
        for key, command, environment in order:
            result = bench.run(command, threads, environment)
            if isinstance(result, str):
                raise SystemExit(f"{' '.join(map(str, command))}: {result}")
            results[key].append(result)
            if "ceiling_gmacs" in result:
                ceilings.setdefault(key[1], []).append((result["ceiling_gmacs"], result["macs"]))
        trips = [of_engine[-1]["round_trip_ns"] for of_engine in results.values() if "round_trip_ns" in of_engine[-1]]
        for (_, precision), of_engine in results.items():
            last = of_engine[-1]
            last["apart"] = statistics.median(trips) if trips and threads > 1 else 1
            if "share_of_ceiling" not in last and ceilings.get(precision):
                gmacs = statistics.median(c for c, _ in ceilings[precision])
                last["share_of_ceiling"] = ceilings[precision][0][1] * 1e-6 / last["median_ms"] / gmacs
    return results


def clean(results):
    """The undisturbed ones of one state: the cores as far apart as they mostly were."""
    kept = [r for r in results if not r["disturbed"]] or results
    usual = statistics.median(r["apart"] for r in kept)
    return [r for r in kept if usual / 2 <= r["apart"] <= 2 * usual] or kept


def middle(results, field):
    return statistics.median(r.get(field, 0) for r in clean(results))


def cell(results):
    share = middle(results, "share_of_ceiling")
    share = f" ({100 * share:.0f} %)" if share > 0 else ""
    mark = "" if not all(r["disturbed"] for r in results) else "*"
    ms = middle(results, "median_ms")
    return f"{ms:.{2 if ms >= 1 else 3}f}{share}{mark}"


def compare(bench, arguments):
    failures = []
    engines = [e for e in arguments.engines if bench.found(e)]
    for engine in set(arguments.engines) - set(engines):
        say(f"{ENGINES[engine]}: not found")
    usable = {}
    for network in arguments.networks:
        for precision in arguments.precisions:
            usable[network, precision] = []
            for engine in engines:
                if engine == "linnet":
                    said = bench.run(bench.command("linnet", network, precision, 1, 1), 1)
                    fits = None if isinstance(said, str) else True
                    if fits is None:
                        say(f"{network} {precision} Linnet: {said}")
                elif precision in ABLE[engine]:
                    fits = bench.agrees(engine, network, precision)
                else:
                    continue
                if fits:
                    usable[network, precision].append(engine)
                elif fits is False:
                    failures.append(f"{network}, {precision}: {ENGINES[engine]} does not compute Linnet's scores")
    print("| network | precision | threads | " + " | ".join(ENGINES[e] for e in engines) +
          " | faster than the fastest peer | faster than float32 | resident MB | round trip ns |")
    print("|---|---|--:|" + "--:|" * len(engines) + "--:|--:|---|--:|")
    for network in arguments.networks:
        for threads in arguments.threads:
            subjects = [((e, p), bench.command(e, network, p, threads, arguments.runs), None)
                        for p in arguments.precisions for e in usable[network, p]]
            results = rounds_of(bench, subjects, threads)
            for precision in arguments.precisions:
                of = {e: results[e, precision] for e in usable[network, precision]}
                peers = [middle(r, "median_ms") for e, r in of.items() if e != "linnet"]
                ours = middle(of["linnet"], "median_ms") if "linnet" in of else None
                beside = f"{min(peers) / ours:.2f}x" if ours and peers else ""
                float32 = results.get(("linnet", "float32"))
                gain = f"{middle(float32, 'median_ms') / ours:.2f}x" if ours and float32 and precision != "float32" else ""
                memory = ", ".join(f"{middle(of[e], 'peak_rss_bytes') / 1e6:.0f}" if e in of else "-" for e in engines)
                trip = f"{middle(of['linnet'], 'round_trip_ns'):.0f}" if threads > 1 and ours else ""
                cells = " | ".join(cell(of[e]) if e in of else "" for e in engines)
                print(f"| {network} | {precision} | {threads} | {cells} | {beside} | {gain} | {memory} | {trip} |", flush=True)
                if precision == "int8" and gain and middle(float32, "median_ms") < ours:
                    failures.append(f"{network}, {threads} threads: int8 is slower than float32")
    return failures


def isas(linnet):
    """What the tool says this CPU has, when it is asked for something that no CPU has."""
    done = subprocess.run([linnet, "bench", "--ceiling"], env=dict(os.environ, LINNET_ISA="none"), capture_output=True, text=True)
    return done.stderr.strip().rsplit("this CPU has ", 1)[1].split(", ")


def compare_isas(bench, arguments):
    failures = []
    precisions = ("float32", "int8")
    print("| network | ISA | threads | float32 ms | int8 ms | int8 is faster |\n|---|---|--:|--:|--:|--:|")
    for network in arguments.networks:
        for isa in isas(arguments.linnet):
            for threads in arguments.threads:
                results = rounds_of(bench, [(("linnet", p), bench.command("linnet", network, p, threads, arguments.runs),
                                             {"LINNET_ISA": isa}) for p in precisions], threads)
                of = [results["linnet", p] for p in precisions]
                ratio = middle(of[0], "median_ms") / middle(of[1], "median_ms")
                print(f"| {network} | {isa} | {threads} | {cell(of[0])} | {cell(of[1])} | {ratio:.2f}x |", flush=True)
                if ratio < 1:
                    failures.append(f"{network}, {isa}, {threads} threads: int8 takes {1 / ratio:.2f} times as long as float32")
    return failures


def main():
    def of(known):
        def parse(text):
            words = text.split(",")
            for word in words:
                if word not in known:
                    raise argparse.ArgumentTypeError(f"{word} is none of {', '.join(known)}")
            return words
        return parse

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage=argparse.SUPPRESS)
    parser.add_argument("linnet", help=argparse.SUPPRESS)
    options = {"help": argparse.SUPPRESS}
    parser.add_argument("--networks", type=of(FAMILIES), default=list(FAMILIES)[:4], **options)
    parser.add_argument("--precisions", type=of(PRECISIONS), default=list(PRECISIONS), **options)
    parser.add_argument("--engines", type=of(ENGINES), default=list(ENGINES), **options)
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2], **options)
    parser.add_argument("--resolution", type=int, default=224, **options)
    parser.add_argument("--rounds", type=int, default=4, **options)
    parser.add_argument("--runs", type=int, default=40, **options)
    parser.add_argument("--isas", action="store_true", **options)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments, folder)
        failures = (compare_isas if arguments.isas else compare)(bench, arguments)
    for line in failures:
        say(f"FAILED: {line}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
