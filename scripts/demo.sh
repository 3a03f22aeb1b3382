#!/usr/bin/env bash
# The main job on the example cohort, with the commands that a user types.
# Usage: scripts/demo.sh [FOLDER]     (default: demo)
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-demo}

if [ -e "$out" ]; then
  echo "The folder '$out' of an earlier run is replaced."
  rm -rf "$out"
fi
mkdir -p "$out"

step() { printf '\n== %s\n' "$1"; }

step "1/6  An example cohort of 60 synthetic cases, some of them defective"
thyroidsynth example-cohort --cases 60 --out "$out/dataset"

step "2/6  Read, check, align with the trachea, measure and sample"
thyroidsynth prepare "$out/dataset" --out "$out/cohort"

step "3/6  Train a model"
thyroidsynth train "$out/cohort" --epochs 250 --out "$out/model.safetensors"

step "4/6  Twelve thyroids steered to targets, at the trachea of one patient"
cat >"$out/targets.csv" <<'CSV'
volume_ml,isthmus_area_mm2,symmetry
8,40,0.60
14,40,0.60
20,40,0.60
26,40,0.60
15,0,0.60
15,25,0.60
15,50,0.60
15,75,0.60
15,40,0.45
15,40,0.55
15,40,0.65
15,40,0.75
CSV
# The trachea and the CT grid of the first case that quality control accepted.
case_id=$(awk -F, 'NR > 1 && $2 == "accepted" { print $1; exit }' "$out/cohort/quality.csv")
thyroidsynth generate "$out/model.safetensors" --from-table "$out/targets.csv" --steer --seed 1 \
  --at "$out/dataset/$case_id" --grid "$out/dataset/$case_id/ct.nii.gz" --mesh ply --out "$out/thyroids"

step "5/6  Evaluate the model and write the report"
thyroidsynth evaluate "$out/model.safetensors" "$out/cohort" --quick --out "$out/evaluation"

step "6/6  Draw a generated thyroid over the CT in Slicer's own views"
python scripts/overlay_picture.py "$out/dataset/$case_id" "$out/thyroids" "$out/overlay.png"

cat <<END

Done. The results in $out/:
  dataset/                CTs and masks in the layout of TotalSegmentator, and ground_truth.csv
  cohort/quality.csv      the verdict of quality control on each case
  model.safetensors       the trained model
  thyroids/               label maps, meshes and manifest.csv of the twelve steered thyroids
  evaluation/report.html  figures: distributions, targets against measured features, gallery
  overlay.png             a generated thyroid over the CT, in axial, coronal, sagittal and 3D views

The cohort is synthetic: software input, not anatomy. Not for clinical use.
END
