"""Equations without state, a file for each stage of the flow."""

from keras_attention.functional.axes import channel_axis as channel_axis
from keras_attention.functional.axes import check_rank as check_rank
from keras_attention.functional.axes import known_channels as known_channels
from keras_attention.functional.axes import (
    resolve_data_format as resolve_data_format,
)
from keras_attention.functional.axes import spatial_axes as spatial_axes
from keras_attention.functional.pooling import max_pool as max_pool
from keras_attention.functional.pooling import mean_pool as mean_pool
from keras_attention.functional.weights import check_gate as check_gate
from keras_attention.functional.weights import gate as gate
from keras_attention.functional.weights import masked_softmax as masked_softmax
