"""Networks whose training needs more than their output and the target."""

import keras
from keras import ops


class NetworkWithOwnLoss(keras.Model):
    """A functional network that adds a loss of its own to the compiled one.

    In training it also computes tensors from its middle, such as the logits of
    each scale, and its loss is a function of those. Otherwise it is the plain
    network, and that is what a preset keeps: the loss is not saved.

    Args:
        inputs: As of `keras.Model`.
        outputs: The tensor that is compared with the target.
        more: Dict from name to a tensor of the same graph. Every layer that
            they take must be on the way to `outputs` too, or it would be lost
            when the network is saved.
        own_loss: Function of the target, the output and the dict of `more`;
            `(B,)`, the loss of each sample, which sample weights apply to.
        **kwargs: Keras's own: `name`.

    Raises:
        ValueError: If a layer is on the way to `more` only.
    """

    def __init__(self, inputs, outputs, more, own_loss, **kwargs):
        super().__init__(inputs, outputs, **kwargs)
        whole = keras.Model(inputs, {"output": outputs, "more": more})
        lost = {layer.name for layer in whole.layers} - {
            layer.name for layer in self.layers
        }
        if lost:
            raise ValueError(
                "Layers of the loss must be on the way to the output, or they "
                f"would be lost when the network is saved. Received: {lost}"
            )
        # Not tracked: its layers are those of this network.
        vars(self)["whole"] = whole
        vars(self)["own_loss"] = own_loss

    def call(self, inputs, training=None, mask=None):
        if training:
            return self.whole(inputs, training=True)
        return super().call(inputs, training=training, mask=mask)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        output, more = _parts(y_pred)
        loss = super().compute_loss(x, y, output, sample_weight, training)
        if more is None:
            return loss
        own = self.own_loss(y, output, more)
        if sample_weight is not None:
            own = own * ops.cast(sample_weight, own.dtype)
        return loss + ops.mean(own)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(x, y, _parts(y_pred)[0], sample_weight)


def _parts(y_pred):
    if isinstance(y_pred, dict):
        return y_pred["output"], y_pred["more"]
    return y_pred, None
