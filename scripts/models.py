#!/usr/bin/env python3
"""The embedded models of models/: adds one, and checks that each is what models.json and README.md say of it.

Usage: models.py check LINNET [FOLDER]        files, sums, layers, the README's table; a second or two
       models.py accuracy LINNET [FOLDER]     classifies the whole test set: exactly as many right as is claimed
       models.py add LINNET FILE --name N --family F --data CIFAR-10 --command C [--licence L] [--default]
                                              copies FILE, measures it, and writes models.json and README.md

LINNET is the tool; after `add` build it anew, since the models are a part of it. FOLDER is models/ by default. CIFAR-10 is looked for in
the cache, where `linnet pull cifar10` puts it. Exit status: 0; 1 if something is not as it is claimed; 77 if the data is absent.
"""
import argparse
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

MODELS = pathlib.Path(__file__).resolve().parent.parent / "models"
BEGIN, END = "<!-- models.json, as scripts/models.py writes it -->\n", "<!-- the end of it -->\n"


def linnet(tool, *arguments):
    done = subprocess.run([tool, *map(str, arguments), "--json"], stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


def facts(tool, file):
    """What can be read off a file."""
    content = file.read_bytes()
    layers = len(linnet(tool, "info", file)["layers"])
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "layers": layers}


def data_of(name):
    """What `linnet eval --data` takes, or None where it is not here."""
    if name != "CIFAR-10":
        sys.exit(f"{name}: there is no test set of that name; name it in {__file__}")
    cache = os.environ.get("LINNET_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "linnet")
    folder = pathlib.Path(cache) / "data" / "cifar10"
    return f"cifar10:{folder}" if (folder / "test_batch.bin").exists() else None


def read_list(folder):
    return json.loads((folder / "models.json").read_text())["models"]


def table(models):
    lines = ["| model | family | tested on | right | top-1 | bytes | SHA-256 |", "|---|---|---|--:|--:|--:|---|"]
    for m in models:
        lines.append(f"| `{m['name']}` | `{m['family']}` | {m['data']} | {m['right']:,} of {m['images']:,} "
                     f"| {100 * m['right'] / m['images']:.2f} % | {m['bytes']:,} | `{m['sha256']}` |")
    for m in models:
        lines += ["", f"`{m['name']}` ({m['licence']}):", "", "```", m["command"], "```"]
    return "\n".join(lines) + "\n"


def check(tool, folder):
    wrong = []
    models = read_list(folder)
    files = {path.name for path in folder.glob("*.safetensors")}
    for name in sorted(files ^ {m["name"] + ".safetensors" for m in models}):
        wrong.append(f"{name}: is in the folder or in models.json, not in both")
    embedded = {m["name"]: m for m in linnet(tool, "models")["models"] if m["embedded"]}
    if list(embedded) != [m["name"] for m in models]:
        wrong.append(f"the tool embeds {list(embedded)}; build it anew")
    for m in models:
        file = folder / (m["name"] + ".safetensors")
        if not file.exists():
            continue
        for key, value in facts(tool, file).items():
            if m[key] != value:
                wrong.append(f"{file.name}: has {key} {value}, models.json says {m[key]}")
        if linnet(tool, "info", file)["macs"] != linnet(tool, "info", m["family"])["macs"]:
            wrong.append(f"{file.name}: is of another family than {m['family']}")
        if m["name"] in embedded and any(embedded[m["name"]][key] != m[key] for key in ("bytes", "family", "images")):
            wrong.append(f"{file.name}: is not the one that the tool embeds; build it anew")
    readme = folder / "README.md"
    if readme.exists() and BEGIN + table(models) + END not in readme.read_text():
        wrong.append(f"{readme}: its table is not that of models.json; scripts/models.py add writes it")
    return wrong


def accuracy(tool, folder):
    wrong = []
    for m in read_list(folder):
        data = data_of(m["data"])
        if data is None:
            print("SKIP: CIFAR-10 is not in the cache; linnet pull cifar10 fetches it")
            sys.exit(77)
        seen = linnet(tool, "eval", "--model", m["name"], "--data", data, "--threads", 1)
        print(f"{m['name']}: {seen['right_first']} of {seen['images']}")
        if (seen["images"], seen["right_first"]) != (m["images"], m["right"]):
            wrong.append(f"{m['name']}: {seen['right_first']} of {seen['images']} are right, models.json says "
                         f"{m['right']} of {m['images']}")
    return wrong


def add(tool, options):
    data = data_of(options.data) or sys.exit("CIFAR-10 is not in the cache; linnet pull cifar10 fetches it")
    file = MODELS / (options.name + ".safetensors")
    shutil.copyfile(options.file, file)
    seen = linnet(tool, "eval", "--model", file, "--data", data, "--threads", 1)
    model = {"name": options.name, "family": options.family, "data": options.data, "images": seen["images"],
             "right": seen["right_first"], "licence": options.licence, "command": options.command} | facts(tool, file)
    known = read_list(MODELS)
    models = [m for m in known if m["name"] != options.name]
    place = next((at for at, m in enumerate(known) if m["name"] == options.name), len(models))
    models.insert(0 if options.default else place, model)
    (MODELS / "models.json").write_text(json.dumps({"models": models}, indent=2, ensure_ascii=False) + "\n")
    readme = MODELS / "README.md"
    before, rest = readme.read_text().split(BEGIN)
    readme.write_text(before + BEGIN + table(models) + END + rest.split(END)[1])
    print(f"{file}: {seen['right_first']} of {seen['images']}; now build the tool anew")
    return []


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("what", choices=["check", "accuracy", "add"])
    parser.add_argument("linnet")
    parser.add_argument("file", nargs="?", type=pathlib.Path)
    for option in ("--name", "--family", "--data", "--command"):
        parser.add_argument(option)
    parser.add_argument("--licence", default="Apache-2.0")
    parser.add_argument("--default", action="store_true")
    options = parser.parse_args()
    if options.what == "add":
        if not all((options.file, options.name, options.family, options.data, options.command)):
            parser.error("add takes FILE, --name, --family, --data and --command")
        wrong = add(options.linnet, options)
    else:
        wrong = {"check": check, "accuracy": accuracy}[options.what](options.linnet, options.file or MODELS)
    for line in wrong:
        print("FAILED: " + line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
