"""Attention mechanisms as Keras layers, each exact to its paper."""

from keras_attention.feature_map.bam import BAM as BAM
from keras_attention.feature_map.cbam import CBAM as CBAM
from keras_attention.feature_map.cbam import (
    ChannelAttention as ChannelAttention,
)
from keras_attention.feature_map.cbam import (
    SpatialAttention as SpatialAttention,
)
from keras_attention.feature_map.se_block import SEBlock as SEBlock
from keras_attention.feature_map.selective_kernel import (
    SelectiveKernel as SelectiveKernel,
)
from keras_attention.looking import attention_maps as attention_maps

__version__ = "0.1.0"
