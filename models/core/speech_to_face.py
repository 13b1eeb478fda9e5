"""What everybody who draws a face from a voice must be told."""

WARNING = (
    "A face made from a voice is nobody's likeness: it shows what such voices have in common with faces in the "
    "training data (gender, age, build), with that data's biases. Never use it to find, name or profile anybody."
)
