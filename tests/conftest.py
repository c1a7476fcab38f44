"""Without a CUDA device our Triton kernels run in its interpreter, to be switched on before anything imports Triton."""

import os
from pathlib import Path

if not Path("/dev/nvidiactl").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")
