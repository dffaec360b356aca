"""Attention mechanisms as Keras layers, each exact to its paper."""

from keras_attention.attach import attach_attention as attach_attention
from keras_attention.attach import attachment_points as attachment_points
from keras_attention.class_activation import grad_cam as grad_cam
from keras_attention.deletion_insertion import faithfulness as faithfulness
from keras_attention.feature_map.bam import BAM as BAM
from keras_attention.feature_map.cbam import CBAM as CBAM
from keras_attention.feature_map.cbam import (
    ChannelAttention as ChannelAttention,
)
from keras_attention.feature_map.cbam import (
    SpatialAttention as SpatialAttention,
)
from keras_attention.feature_map.context_aware_pyramid import (
    ContextAwarePyramid as ContextAwarePyramid,
)
from keras_attention.feature_map.feature_pyramid_attention import (
    FeaturePyramidAttention as FeaturePyramidAttention,
)
from keras_attention.feature_map.global_attention_upsample import (
    GlobalAttentionUpsample as GlobalAttentionUpsample,
)
from keras_attention.feature_map.pixelwise_contextual_attention import (
    PixelwiseContextualAttention as PixelwiseContextualAttention,
)
from keras_attention.feature_map.residual_attention_module import (
    ResidualAttentionModule as ResidualAttentionModule,
)
from keras_attention.feature_map.scale_attention import (
    ScaleAttention as ScaleAttention,
)
from keras_attention.feature_map.se_block import SEBlock as SEBlock
from keras_attention.feature_map.selective_kernel import (
    SelectiveKernel as SelectiveKernel,
)
from keras_attention.glimpse.attention_crop import (
    AttentionCrop as AttentionCrop,
)
from keras_attention.glimpse.entropy_saliency import (
    EntropySaliency as EntropySaliency,
)
from keras_attention.glimpse.gaussian_attention import (
    GaussianAttention as GaussianAttention,
)
from keras_attention.glimpse.glimpse_sensor import (
    GlimpseSensor as GlimpseSensor,
)
from keras_attention.glimpse.spatial_transformer import (
    SpatialTransformer as SpatialTransformer,
)
from keras_attention.looking import attention_maps as attention_maps
from keras_attention.mixture.multi_gate_mixture_of_experts import (
    MultiGateMixtureOfExperts as MultiGateMixtureOfExperts,
)
from keras_attention.mixture.transparent_attention import (
    TransparentAttention as TransparentAttention,
)
from keras_attention.pair.abcnn import ABCNN as ABCNN
from keras_attention.pair.gated_aggregation import (
    GatedAggregation as GatedAggregation,
)
from keras_attention.pair.mixed_aggregation import (
    MixedAggregation as MixedAggregation,
)
from keras_attention.pair.multiway_attention import (
    MultiwayAttention as MultiwayAttention,
)
from keras_attention.pair.mwan import MwAN as MwAN
from keras_attention.pair.pair_attention_matrix import (
    PairAttentionMatrix as PairAttentionMatrix,
)
from keras_attention.pair.pervasive_attention import (
    PervasiveAttention as PervasiveAttention,
)
from keras_attention.pair.wide_conv1d import WideConv1D as WideConv1D
from keras_attention.recurrent.advanced_lstm_cell import (
    AdvancedLSTMCell as AdvancedLSTMCell,
)
from keras_attention.recurrent.sab_cell import SABCell as SABCell
from keras_attention.rollout import attention_rollout as attention_rollout
from keras_attention.sequence.attention_layer import (
    AttentionLayer as AttentionLayer,
)
from keras_attention.sequence.attention_pooling import (
    AttentionPooling as AttentionPooling,
)
from keras_attention.sequence.bahdanau_attention import (
    BahdanauAttention as BahdanauAttention,
)
from keras_attention.sequence.gated_tanh import GatedTanh as GatedTanh
from keras_attention.sequence.hard_attention import (
    HardAttention as HardAttention,
)
from keras_attention.sequence.hierarchical_attention import (
    HierarchicalAttention as HierarchicalAttention,
)
from keras_attention.sequence.local_attention import (
    LocalAttention as LocalAttention,
)
from keras_attention.sequence.luong_attention import (
    LuongAttention as LuongAttention,
)
from keras_attention.sequence.multi_head_attention import (
    MultiHeadAttention as MultiHeadAttention,
)
from keras_attention.sequence.position_encoding import (
    LearnedPositionEncoding as LearnedPositionEncoding,
)
from keras_attention.sequence.position_encoding import (
    SinusoidalPositionEncoding as SinusoidalPositionEncoding,
)
from keras_attention.sequence.scaled_dot_product_attention import (
    ScaledDotProductAttention as ScaledDotProductAttention,
)
from keras_attention.sequence.self_attention import (
    SelfAttention as SelfAttention,
)
from keras_attention.sequence.soft_visual_attention import (
    SoftVisualAttention as SoftVisualAttention,
)
from keras_attention.sequence.stacked_attention import (
    StackedAttention as StackedAttention,
)
from keras_attention.sequence.stacked_latent_attention import (
    StackedLatentAttention as StackedLatentAttention,
)
from keras_attention.sequence.top_down_attention import (
    TopDownAttention as TopDownAttention,
)
from keras_attention.sequence.transformer_decoder import (
    TransformerDecoder as TransformerDecoder,
)
from keras_attention.sequence.transformer_encoder import (
    TransformerEncoder as TransformerEncoder,
)

__version__ = "0.1.0"
