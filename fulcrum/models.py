"""Multi-task architectures: field embeddings in, one representation per task out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fulcrum.lazy_names import lazy_names

if TYPE_CHECKING:
    from trainer.models.adatt import AdaTT
    from trainer.models.bottoms import Asymmetric, Customized, SharedBottom, SingleTask
    from trainer.models.cross_stitch import CrossStitch
    from trainer.models.dselect_k import DSelectK
    from trainer.models.mmoe import MLMMoE, MMoE
    from trainer.models.mssm import MSSM
    from trainer.models.ple import CGC, PLE
    from trainer.models.sharing_architecture import SharingArchitecture
    from trainer.models.sluice import Sluice
    from trainer.models.snr import SNRAver, SNRTrans
    from trainer.models.stem import STEM

__all__ = [
    "CGC",
    "MSSM",
    "PLE",
    "STEM",
    "AdaTT",
    "Asymmetric",
    "CrossStitch",
    "Customized",
    "DSelectK",
    "MLMMoE",
    "MMoE",
    "SNRAver",
    "SNRTrans",
    "SharedBottom",
    "SharingArchitecture",
    "SingleTask",
    "Sluice",
]

_HOMES = {
    "AdaTT": "trainer.models.adatt",
    "Asymmetric": "trainer.models.bottoms",
    "CGC": "trainer.models.ple",
    "CrossStitch": "trainer.models.cross_stitch",
    "Customized": "trainer.models.bottoms",
    "DSelectK": "trainer.models.dselect_k",
    "MLMMoE": "trainer.models.mmoe",
    "MMoE": "trainer.models.mmoe",
    "MSSM": "trainer.models.mssm",
    "PLE": "trainer.models.ple",
    "SharedBottom": "trainer.models.bottoms",
    "SharingArchitecture": "trainer.models.sharing_architecture",
    "SingleTask": "trainer.models.bottoms",
    "Sluice": "trainer.models.sluice",
    "SNRAver": "trainer.models.snr",
    "SNRTrans": "trainer.models.snr",
    "STEM": "trainer.models.stem",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
