# SPDX-License-Identifier: Apache-2.0
"""ResNet-50 with random weights and one image: as many steps as each line of standard input says, answered by the time of one."""

import sys
import time

import torch
from transformers import ResNetConfig, ResNetForImageClassification


def main():
    torch.manual_seed(0)
    model = ResNetForImageClassification(ResNetConfig(num_labels=1000)).eval()
    image = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        for line in sys.stdin:
            begin = time.perf_counter()
            for _ in range(int(line)):
                model(image)
            print((time.perf_counter() - begin) * 1000 / int(line), flush=True)


if __name__ == "__main__":
    main()
