#!/usr/bin/env bash
# Times training steps of Layerwise and PyTorch on the CPU, in turns so that both see the same machine. Prints both medians
# and the ratio. Run it on a quiet machine.
#
#   benchmarks/peers/compare_step.sh [ROUNDS [CASE...]]    default: 5 rounds of all cases below
#
# PyTorch runs channels-last with bfloat16 autocast (none for f32), without torch.compile, with fused Adam (PyTorch's default
# Adam in mlp-default-adam). PYTHON names a Python that has PyTorch.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

python=${PYTHON:-python3}
threads=2
rounds=${1:-5}
shift || true
if ! [[ $rounds =~ ^[1-9][0-9]*$ ]]; then
  sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi

declare -A cases=(
  [vgg8b]="--model vgg8b --loss predsim --input 3x32x32 --classes 100"
  [vgg11b]="--model vgg11b --loss predsim --input 3x32x32 --classes 100"
  [vgg8b-backprop]="--model vgg8b --loss backprop --input 3x32x32 --classes 100"
  [mlp]="--model mlp --num-layers 3 --num-hidden 1024 --loss predsim --input 1x28x28 --classes 10"
  [mlp-default-adam]="--model mlp --num-layers 3 --num-hidden 1024 --loss predsim --input 1x28x28 --classes 10"
  [mlp-f32]="--model mlp --num-layers 3 --num-hidden 1024 --loss predsim --input 1x28x28 --classes 10"
  [vgg8b-f32]="--model vgg8b --loss predsim --input 3x32x32 --classes 100"
)
chosen=("$@")
if [[ $# -eq 0 ]]; then
  chosen=(vgg8b vgg11b vgg8b-backprop mlp mlp-default-adam mlp-f32 vgg8b-f32)
fi

number() { sed -nE "s/.*\"$1\": ?([0-9.eE+-]+).*/\1/p" | tail -n 1; }
median() { sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }

./layerwise --version > /dev/null # builds what is missing before the clock runs
printf '%-16s %-5s %12s %12s %7s %10s %10s\n' case steps 'here, img/s' 'PyTorch' ratio 'here, MiB' 'PyTorch'
for name in "${chosen[@]}"; do
  options=${cases[$name]:?there is no case of that name}
  precision=bf16
  [[ $name == *-f32 ]] && precision=f32
  steps=3
  [[ $name == mlp* ]] && steps=100
  adam=()
  [[ $name == *-default-adam ]] && adam=(--default-adam)
  ours=() theirs=()
  for ((round = 0; round < rounds; round++)); do
    # shellcheck disable=SC2086 # options are words
    here=$(./layerwise bench step ${options/--loss backprop/--backprop} --precision "$precision" --threads "$threads" \
      --batch-size 128 --steps "$steps" --warmup 3 --json)
    # shellcheck disable=SC2086
    there=$("$python" benchmarks/peers/gpu_step.py $options --device cpu --no-compile --precision "$precision" \
      --threads "$threads" --batch-size 128 --steps "$steps" --warmup 2 "${adam[@]}")
    ours+=("$(number images_per_second <<< "$here")")
    theirs+=("$(number images_per_second <<< "$there")")
    our_memory=$(number peak_rss_bytes <<< "$here")
    their_memory=$(number peak_rss_bytes <<< "$there")
  done
  a=$(printf '%s\n' "${ours[@]}" | median)
  b=$(printf '%s\n' "${theirs[@]}" | median)
  awk -v name="$name" -v steps="$steps" -v a="$a" -v b="$b" -v m="$our_memory" -v n="$their_memory" 'BEGIN {
    printf "%-16s %-5d %12.1f %12.1f %7.2f %10.0f %10.0f\n", name, steps, a, b, a / b, m / 1048576, n / 1048576 }'
done
