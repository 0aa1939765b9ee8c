"""Side-by-side ratios. One BLAS thread for both sides, set before numpy is first imported."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
