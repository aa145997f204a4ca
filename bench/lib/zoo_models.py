# SPDX-License-Identifier: Apache-2.0
"""Well-known models for bench/zoo, by the package that has them: random weights, small where their size changes nothing else."""

import torch

TORCHVISION = """
alexnet vgg16_bn resnet18 resnet50 resnext50_32x4d densenet121 squeezenet1_1 googlenet inception_v3 mobilenet_v2 mobilenet_v3_large
shufflenet_v2_x1_0 mnasnet1_0 efficientnet_b0 efficientnet_v2_s regnet_y_400mf convnext_tiny vit_b_16 swin_t maxvit_t
""".split()
SEGMENTATION = "fcn_resnet50 deeplabv3_resnet50 lraspp_mobilenet_v3_large".split()
VIDEO = "r3d_18 r2plus1d_18 s3d".split()
TIMM = """
resnet50d seresnet50 ecaresnet50d resnest14d resnetv2_50 efficientnet_b0 mobilenetv3_large_100 mobilenetv4_conv_small ghostnet_100 mixnet_s
regnety_008 repvgg_a0 darknet53 cspresnet50 densenet121 dpn48b dla34 hrnet_w18_small res2net50_14w_8s inception_v4 xception41
nfnet_f0 vovnet39a convnext_atto convnextv2_atto poolformer_s12 efficientformer_l1 efficientvit_b0 fastvit_t8 repvit_m0_9 edgenext_xx_small
mobilevit_s vit_small_patch16_224 swin_tiny_patch4_window7_224 mixer_s32_224 maxvit_tiny_rw_224
""".split()
SIZES = {"inception_v3": 299, "s3d": 224}  # of images that are not of 224, and of videos that are not of 112

# Of transformers: the model's class, its configuration's, what is said to that, and what is given to the model.
TEXT, IMAGE, SOUND = "text", "image", "sound"
LAYERS = {"num_hidden_layers": 3}
DECODER = {**LAYERS, "hidden_size": 768, "intermediate_size": 2048, "num_attention_heads": 12, "num_key_value_heads": 4,
           "vocab_size": 8000}
TRANSFORMERS = {
    "bert": ("BertModel", "BertConfig", LAYERS, TEXT),
    "roberta": ("RobertaModel", "RobertaConfig", LAYERS, TEXT),
    "distilbert": ("DistilBertModel", "DistilBertConfig", {"n_layers": 3}, TEXT),
    "modernbert": ("ModernBertModel", "ModernBertConfig", LAYERS, TEXT),
    "deberta": ("DebertaV2Model", "DebertaV2Config", {**LAYERS, "hidden_size": 768, "num_attention_heads": 12,
                                                      "intermediate_size": 3072}, TEXT),
    "gpt2": ("GPT2Model", "GPT2Config", {"n_layer": 3}, TEXT),
    "opt": ("OPTModel", "OPTConfig", LAYERS, TEXT),
    "llama": ("LlamaForCausalLM", "LlamaConfig", DECODER, TEXT),
    "qwen3": ("Qwen3ForCausalLM", "Qwen3Config", DECODER, TEXT),
    "gemma": ("GemmaForCausalLM", "GemmaConfig", {**DECODER, "head_dim": 64}, TEXT),
    "mixtral": ("MixtralForCausalLM", "MixtralConfig", {**DECODER, "num_local_experts": 4}, TEXT),
    "mamba": ("MambaModel", "MambaConfig", {"hidden_size": 512, "num_hidden_layers": 2, "vocab_size": 8000}, TEXT),
    "wav2vec2": ("Wav2Vec2Model", "Wav2Vec2Config", {"num_hidden_layers": 2}, SOUND),
    "vit": ("ViTModel", "ViTConfig", LAYERS, IMAGE),
    "clip": ("CLIPVisionModel", "CLIPVisionConfig", LAYERS, IMAGE),
    "dinov2": ("Dinov2Model", "Dinov2Config", LAYERS, IMAGE),
    "swin": ("SwinModel", "SwinConfig", {}, IMAGE),
    "convnext": ("ConvNextModel", "ConvNextConfig", {}, IMAGE),
    "resnet": ("ResNetForImageClassification", "ResNetConfig", {}, IMAGE),
    "mobilenet_v2": ("MobileNetV2Model", "MobileNetV2Config", {}, IMAGE),
    "efficientnet": ("EfficientNetModel", "EfficientNetConfig", {"image_size": 224}, IMAGE),
    "segformer": ("SegformerForSemanticSegmentation", "SegformerConfig", {}, IMAGE),
}


def names():
    yield from ("torchvision:" + name for name in TORCHVISION + SEGMENTATION + VIDEO)
    yield from ("timm:" + name for name in TIMM)
    yield from ("transformers:" + name for name in TRANSFORMERS)


def image(side=224):
    return torch.randn(1, 3, side, side)


def of_torchvision(name):
    from torchvision import models
    side = SIZES.get(name, 112 if name in VIDEO else 224)
    if name in SEGMENTATION:
        return getattr(models.segmentation, name)(weights=None, weights_backbone=None), image(256)
    if name in VIDEO:
        return getattr(models.video, name)(weights=None), torch.randn(1, 3, 16, side, side)
    more = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return getattr(models, name)(weights=None, **more), image(side)


def of_timm(name):
    import timm
    model = timm.create_model(name, pretrained=False)
    return model, image(model.pretrained_cfg["input_size"][-1])


def of_transformers(name):
    import transformers
    model, config, words, kind = TRANSFORMERS[name]
    given = {TEXT: lambda: torch.randint(0, 1000, (1, 128)), IMAGE: image, SOUND: lambda: torch.randn(1, 16000)}[kind]()
    return getattr(transformers, model)(getattr(transformers, config)(**words)), given


def make(name):
    """(the model in evaluation, its input)"""
    torch.manual_seed(0)
    package, _, which = name.partition(":")
    model, given = {"torchvision": of_torchvision, "timm": of_timm, "transformers": of_transformers}[package](which)
    for part in model.modules():
        if isinstance(part, torch.nn.modules.batchnorm._BatchNorm) and part.running_var is not None:
            part.running_mean.normal_(0, 0.1)  # as after some training: with those of a new model most values are near 0
            part.running_var.uniform_(0.5, 1.5)
    return model.eval(), given
