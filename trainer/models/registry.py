"""Every model by name."""

from __future__ import annotations

from trainer.models.asymmetric import Asymmetric
from trainer.models.cross_stitch import CrossStitch
from trainer.models.customized import Customized
from trainer.models.ml_mmoe import MLMMoE
from trainer.models.mmoe import MMoE
from trainer.models.mssm import MSSM
from trainer.models.ple import PLE, SingleLevelPLE
from trainer.models.shared_bottom import SharedBottom
from trainer.models.sharing_architecture import SharingArchitecture
from trainer.models.single_task import SingleTask
from trainer.models.sluice import Sluice
from trainer.models.snr import SNRAver, SNRTrans

# The settings of each are in `trainer.settings.model_config.MODELS`.
ARCHITECTURES: dict[str, type[SharingArchitecture]] = {
    "single_task": SingleTask,
    "shared_bottom": SharedBottom,
    "asymmetric": Asymmetric,
    "customized": Customized,
    "cross_stitch": CrossStitch,
    "sluice": Sluice,
    "mmoe": MMoE,
    "ml_mmoe": MLMMoE,
    "cgc": SingleLevelPLE,
    "ple": PLE,
    "snr_aver": SNRAver,
    "snr_trans": SNRTrans,
    "mssm": MSSM,
}
