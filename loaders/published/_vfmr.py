"""What VFMR publishes of the three sets that it is about."""

TABLE_1: tuple[tuple[str, str, str, int, int, int], ...] = (
    ("Vox-VGG-2", "vox2", "male", 3_682, 775_260, 1_268_937),
    ("Vox-VGG-2", "vox2", "female", 2_312, 316_749, 636_079),
    ("Vox-VGG-2", "vox2", "total", 5_994, 1_092_009, 1_905_016),
    ("Vox-VGG-1", "vox1", "male", 690, 103_295, 378_152),
    ("Vox-VGG-1", "vox1", "female", 561, 50_221, 195_131),
    ("Vox-VGG-1", "vox1", "total", 1_251, 153_516, 573_283),
    ("Chinese_VF", "", "male", 242, 178_044, 673_737),
    ("Chinese_VF", "", "female", 258, 118_225, 476_973),
    ("Chinese_VF", "", "total", 500, 296_269, 1_150_710),
)
"""Set, subset of Vox-VGG (none: not of it), gender; identities, utterances, images."""
