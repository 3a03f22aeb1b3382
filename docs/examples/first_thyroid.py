"""The first thyroid: sample, steer, measure, save."""

from ThyroidSynthLib import ShapeModel

model = ShapeModel.load("example")

# Ten random thyroids, distributed like the training cohort.
for thyroid in model.sample(10, seed=1):
    print(f"{thyroid.features.volume_ml:.1f} mL, isthmus {thyroid.features.isthmus_area_mm2:.0f} mm²")

# One thyroid with given features, and a larger one that keeps its symmetry.
thyroid = model.steer(volume_ml=15, isthmus_area_mm2=40, symmetry=0.6)
larger = model.steer(thyroid, volume_ml=22, symmetry=0.6)
print(larger.features, "targets met:", larger.met)

# As a mesh in memory, as a label map with 1 mm voxels, and as files.
mesh = larger.to_trimesh()
label_map = larger.to_label_map(spacing_mm=1.0)
print(f"{len(mesh.faces)} triangles, {label_map.array.sum()} voxels")
larger.save("thyroid.stl")
larger.save("thyroid.nii.gz", spacing_mm=1.0)
