"""Scores: how well each key fits each query, before the softmax.

`query` is `(..., Tq, Dq)`, `key` is `(..., Tk, Dk)`, the scores are
`(..., Tq, Tk)`, with the same leading axes everywhere.
"""

from keras import ops

from keras_attention.functional.blocks import over_query_blocks
from keras_attention.functional.known import as_floats


def dot_scores(query, key):
    """`query[i] . key[j]` (Luong et al. 2015, dot).

    Args:
        query: `(..., Tq, D)`.
        key: `(..., Tk, D)`.

    Returns:
        `(..., Tq, Tk)`.
    """
    return ops.matmul(query, ops.swapaxes(key, -1, -2))


def scaled_dot_scores(query, key):
    """`query[i] . key[j] / sqrt(D)` (Vaswani et al. 2017, equation 1).

    Entries of variance one have a product of variance D; divided by its root,
    the softmax keeps a gradient however large D is.

    Args:
        query: `(..., Tq, D)`.
        key: `(..., Tk, D)`.

    Returns:
        `(..., Tq, Tk)`.
    """
    query = as_floats(query, "float32")
    return dot_scores(query * query.shape[-1] ** -0.5, key)


def general_scores(query, key, kernel):
    """`query[i] . W key[j]`, a bilinear form (Luong et al. 2015, general).

    Args:
        query: `(..., Tq, Dq)`.
        key: `(..., Tk, Dk)`.
        kernel: `(Dq, Dk)`.

    Returns:
        `(..., Tq, Tk)`.
    """
    return dot_scores(ops.matmul(query, kernel), key)


def additive_scores(query, key, vector, block_size=None):
    """`v . tanh(query[i] + key[j])`, both projected to `units` before.

    The heart of Bahdanau et al. (2015), where query and key have a projection
    each, and of `concat_projections` and `minus_projections`.

    Args:
        query: `(B, Tq, units)`.
        key: `(B, Tk, units)`.
        vector: `(units,)`.
        block_size: Positive integer, the queries taken at once; `None` makes
            a tensor `(B, Tq, Tk, units)` of all of them.

    Returns:
        `(B, Tq, Tk)`.
    """

    def scores(query, key, vector):
        hidden = ops.tanh(
            ops.expand_dims(query, axis=2) + ops.expand_dims(key, axis=1)
        )
        return ops.tensordot(hidden, vector, axes=1)

    return over_query_blocks(scores, block_size, [query], [key, vector])


def concat_projections(query, key, kernel):
    """What makes `additive_scores` `v . tanh(W [query[i]; key[j]])`.

    The concat score of Luong et al. (2015). A product with two things side by
    side is the sum of two products, so nothing is ever concatenated.

    Args:
        query: `(B, Tq, Dq)`.
        key: `(B, Tk, Dk)`.
        kernel: `(Dq + Dk, units)`, the rows of the query first.

    Returns:
        `(B, Tq, units)` and `(B, Tk, units)`.
    """
    depth = query.shape[-1]
    return ops.matmul(query, kernel[:depth]), ops.matmul(key, kernel[depth:])


def check_depth(query, built):
    """Refuses a query that `concat_projections` would meet with other rows.

    Args:
        query: `(B, Tq, Dq)`.
        built: Integer, the Dq that the kernel was made for.

    Raises:
        ValueError: If its depth is another.
    """
    if query.shape[-1] != built:
        raise ValueError(
            "The query must have the depth that the kernel was built for, "
            "whose first rows are its own. Received: "
            f"query of shape {tuple(query.shape)}, built for depth {built}"
        )


def minus_projections(query, key, kernel):
    """What makes `additive_scores` `v . tanh(W (query[i] - key[j]))`.

    The minus score of Tan et al. (2018).

    Args:
        query: `(B, Tq, D)`.
        key: `(B, Tk, D)`.
        kernel: `(D, units)`.

    Returns:
        `(B, Tq, units)` and `(B, Tk, units)`.
    """
    return ops.matmul(query, kernel), -ops.matmul(key, kernel)


def location_scores(query, key, kernel, bias=None):
    """`W query[i]`, place by place (Luong et al. 2015, location).

    The keys say only how many there are: what is scored is the place.

    Args:
        query: `(..., Tq, Dq)`.
        key: `(..., Tk, Dk)`, `Tk` at most `max_length`.
        kernel: `(Dq, max_length)`.
        bias: `(max_length,)`, or `None`.

    Returns:
        `(..., Tq, Tk)`.
    """
    scores = ops.matmul(query, kernel)
    if bias is not None:
        scores = scores + bias
    return scores[..., : ops.shape(key)[-2]]
