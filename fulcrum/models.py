"""Multi-task architectures: field embeddings in, one representation per task out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fulcrum.lazy_names import lazy_names

if TYPE_CHECKING:
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

__all__ = [
    "MSSM",
    "PLE",
    "Asymmetric",
    "CrossStitch",
    "Customized",
    "MLMMoE",
    "MMoE",
    "SNRAver",
    "SNRTrans",
    "SharedBottom",
    "SharingArchitecture",
    "SingleLevelPLE",
    "SingleTask",
    "Sluice",
]

_HOMES = {
    "Asymmetric": "trainer.models.asymmetric",
    "CrossStitch": "trainer.models.cross_stitch",
    "Customized": "trainer.models.customized",
    "MLMMoE": "trainer.models.ml_mmoe",
    "MMoE": "trainer.models.mmoe",
    "MSSM": "trainer.models.mssm",
    "PLE": "trainer.models.ple",
    "SharedBottom": "trainer.models.shared_bottom",
    "SharingArchitecture": "trainer.models.sharing_architecture",
    "SingleLevelPLE": "trainer.models.ple",
    "SingleTask": "trainer.models.single_task",
    "Sluice": "trainer.models.sluice",
    "SNRAver": "trainer.models.snr",
    "SNRTrans": "trainer.models.snr",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
