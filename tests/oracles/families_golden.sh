#!/usr/bin/env bash
# tests/data/families/ is what torchvision says today (and timm, where it is installed). Exits with 77 without torchvision.
set -euo pipefail
cd "$(dirname "$0")"
golden=../data/families
python=/usr/bin/python3
"$python" -c 'import torchvision' 2>/dev/null || { echo "python3-torchvision is absent"; exit 77; }

compare() { diff -u "$1" - || { echo "$1 differs from: $2"; exit 1; }; }
for file in "$golden"/torchvision_*.txt; do
  name=$(basename "$file" .txt) && name=${name#torchvision_}
  command="pytorch_layers.py torchvision ${name%_*} ${name##*_}"
  "$python" $command | compare "$file" "$command"
done
if "$python" -c 'import timm' 2>/dev/null; then
  for file in "$golden"/timm_*.txt; do
    name=$(basename "$file" .txt)
    "$python" pytorch_layers.py timm "${name#timm_}" | compare "$file" "pytorch_layers.py timm ${name#timm_}"
  done
fi
# Nine digits of a double: other versions of PyTorch sum in another order, which shows in none of them.
"$python" pytorch_scores.py | while IFS= read -r line; do
  grep -qxF -- "$line" "$golden/scores.txt" || { echo "not in $golden/scores.txt: $line"; exit 1; }
done
echo "as torchvision says"
