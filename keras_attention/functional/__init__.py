"""Equations without state, a file for each stage of the flow."""

from keras_attention.functional.axes import channel_axis as channel_axis
from keras_attention.functional.axes import check_rank as check_rank
from keras_attention.functional.axes import known_channels as known_channels
from keras_attention.functional.axes import (
    resolve_data_format as resolve_data_format,
)
from keras_attention.functional.axes import spatial_axes as spatial_axes
from keras_attention.functional.blocks import (
    default_block_size as default_block_size,
)
from keras_attention.functional.blocks import (
    over_query_blocks as over_query_blocks,
)
from keras_attention.functional.contexts import (
    additive_attention as additive_attention,
)
from keras_attention.functional.contexts import (
    scaled_dot_product_attention as scaled_dot_product_attention,
)
from keras_attention.functional.contexts import weighted_sum as weighted_sum
from keras_attention.functional.estimators import (
    choice_log_probability as choice_log_probability,
)
from keras_attention.functional.estimators import (
    gaussian_log_probability as gaussian_log_probability,
)
from keras_attention.functional.estimators import (
    gumbel_softmax as gumbel_softmax,
)
from keras_attention.functional.estimators import (
    score_function_loss as score_function_loss,
)
from keras_attention.functional.estimators import (
    straight_through as straight_through,
)
from keras_attention.functional.gradients import (
    gradient_inside as gradient_inside,
)
from keras_attention.functional.known import as_floats as as_floats
from keras_attention.functional.known import cast_back as cast_back
from keras_attention.functional.known import known_integer as known_integer
from keras_attention.functional.known import known_values as known_values
from keras_attention.functional.masks import causal_mask as causal_mask
from keras_attention.functional.masks import (
    check_attention_mask as check_attention_mask,
)
from keras_attention.functional.masks import check_mask as check_mask
from keras_attention.functional.masks import (
    check_query_call as check_query_call,
)
from keras_attention.functional.masks import combine_masks as combine_masks
from keras_attention.functional.masks import padding_mask as padding_mask
from keras_attention.functional.masks import visible_pairs as visible_pairs
from keras_attention.functional.masks import window_mask as window_mask
from keras_attention.functional.matching import (
    check_pair_call as check_pair_call,
)
from keras_attention.functional.matching import (
    check_same_depth as check_same_depth,
)
from keras_attention.functional.matching import (
    cosine_similarity as cosine_similarity,
)
from keras_attention.functional.matching import hide as hide
from keras_attention.functional.matching import (
    inverse_distance as inverse_distance,
)
from keras_attention.functional.matching import product_scores as product_scores
from keras_attention.functional.matching import visible_cells as visible_cells
from keras_attention.functional.pooling import max_pool as max_pool
from keras_attention.functional.pooling import mean_pool as mean_pool
from keras_attention.functional.positions import alibi_bias as alibi_bias
from keras_attention.functional.positions import alibi_slopes as alibi_slopes
from keras_attention.functional.positions import (
    check_position_encoding as check_position_encoding,
)
from keras_attention.functional.positions import rotate as rotate
from keras_attention.functional.regions import box_weights as box_weights
from keras_attention.functional.regularizers import (
    doubly_stochastic_penalty as doubly_stochastic_penalty,
)
from keras_attention.functional.resizing import resize as resize
from keras_attention.functional.resizing import size_of as size_of
from keras_attention.functional.sampling import affine_grid as affine_grid
from keras_attention.functional.sampling import (
    attention_matrix as attention_matrix,
)
from keras_attention.functional.sampling import (
    bilinear_sample as bilinear_sample,
)
from keras_attention.functional.sampling import check_padding as check_padding
from keras_attention.functional.sampling import composed as composed
from keras_attention.functional.sampling import control_points as control_points
from keras_attention.functional.sampling import (
    gaussian_filter_bank as gaussian_filter_bank,
)
from keras_attention.functional.sampling import hard_crop as hard_crop
from keras_attention.functional.sampling import (
    normalised_places as normalised_places,
)
from keras_attention.functional.sampling import pixel_places as pixel_places
from keras_attention.functional.sampling import (
    projective_grid as projective_grid,
)
from keras_attention.functional.sampling import splined as splined
from keras_attention.functional.sampling import target_places as target_places
from keras_attention.functional.sampling import (
    thin_plate_spline_grid as thin_plate_spline_grid,
)
from keras_attention.functional.sampling import transformed as transformed
from keras_attention.functional.scores import additive_scores as additive_scores
from keras_attention.functional.scores import check_depth as check_depth
from keras_attention.functional.scores import (
    concat_projections as concat_projections,
)
from keras_attention.functional.scores import dot_scores as dot_scores
from keras_attention.functional.scores import general_scores as general_scores
from keras_attention.functional.scores import location_scores as location_scores
from keras_attention.functional.scores import (
    minus_projections as minus_projections,
)
from keras_attention.functional.scores import (
    scaled_dot_scores as scaled_dot_scores,
)
from keras_attention.functional.weights import check_gate as check_gate
from keras_attention.functional.weights import gate as gate
from keras_attention.functional.weights import masked_softmax as masked_softmax
from keras_attention.functional.weights import one_hot_sample as one_hot_sample
from keras_attention.functional.weights import sparse_top_k as sparse_top_k
from keras_attention.functional.weights import top_k_softmax as top_k_softmax
