"""What a decoder says: the most probable by beam search, or drawn by chance."""

import math
import numbers

import keras
import numpy as np
from keras import ops

from keras_attention.arguments import check_sizes


def beam_search(
    decoder,
    memory,
    start,
    length,
    beams=1,
    end=0,
    length_penalty=0.0,
    forbidden=(),
    with_maps=True,
):
    """Finds the most probable sequence of tokens that a decoder can say.

    At each step every unfinished sequence is continued by every token. The best
    `beams` of them that do not end go on. One that ends is a finished answer if
    it is among the best `beams` of all, and the best answer so far is kept
    whatever comes later. The search of a sample stops when nothing unfinished
    could become better than its answer, and at `length`, where the best
    unfinished sequence counts as an answer too.

    `beams=1` is greedy decoding: the most probable token at each step, until
    `end`. A beam of `V^(length - 1)` or more, with a vocabulary of `V` tokens,
    is exhaustive.

    The score of an answer is the sum of the log-probabilities of its tokens,
    `end` included, divided by the length penalty:

        score = sum(log p(token)) / ((5 + number of tokens) / 6) ** alpha

    Without a length penalty long answers are at a disadvantage, since each
    token lowers the sum. With it a search runs longer, for a longer answer may
    still win. A beam of one ends at the first `end` all the same.

    All of it is one `keras.ops.while_loop` behind a first step, so it runs on
    every backend, compiled too. Call it inside the `call` of one Keras layer:
    loops and what they close over are then plain tensors, and the layer can be
    saved as SavedModel, and as LiteRT with a batch of one.

    Args:
        decoder: A built decoder. `begin(memory)` returns its first state, a
            nested structure of tensors whose first axis is the batch, and does
            once what does not change later, such as projecting keys and values.
            `step(last, index, state, memory)` takes the tokens that were said
            last, `(B,)`, and the place of the next, a scalar integer tensor; it
            returns `(logits, state, maps)`: `(B, V)`, a state of the same
            structure, shapes and dtypes, and a dict of attention weights,
            `(B, ...)`. What of the state never changes, such as projected keys,
            is best handed on as the same tensor: then it is not copied from
            beam to beam. `call(target_ids, memory)`, with `start` first, gives
            the logits of all steps, `(B, T, V)`; it is what training uses. A
            decoder that has room for so many steps only says so in an attribute
            `length`. One that goes on from a text, of another length in each
            row, reads it from the memory: `begin` reads all of it but its last
            token, and the step of index 0 takes that one in place of `last`,
            so `index` counts from the end of each row's text.
        memory: Tensor `(B, ...)`, or a nested structure of them: what the
            decoder reads, masks included. `None` inside is handed on.
        start: Integer. The token before the first. It is never said, unless it
            is `end`.
        length: Positive integer, T. The most tokens of an answer, `end`
            included.
        beams: Positive integer. Sequences kept for each sample. It may exceed
            `V`.
        end: Integer. The token that ends an answer, and that fills the places
            behind it.
        length_penalty: Float of at least 0, alpha. 0.6 to 0.7 in the paper.
        forbidden: Tokens that are never said. Probabilities are not shared out
            anew among the others.
        with_maps: Boolean. Whether to give the maps too. Without them the
            search is faster: it carries all maps of all sequences along.

    Returns:
        `(answers, maps)`. Answers are `"token_ids"`, int32 `(B, T)`, and
        `"score"`, float32 `(B,)`, whatever dtype the decoder computes in. Maps
        are the decoder's, `(B, T, ...)`, along the sequence that was returned:
        row t is what was read to say token t, `end` included; rows behind it
        are zeros. Without `with_maps` the dict is empty.

        Where scores tie, an answer found earlier stays; `end` goes before other
        tokens, the sequence that was better so far before others, and of its
        tokens the lower one; PyTorch does not promise the last two.

    Raises:
        ValueError: If `length` or `beams` is no positive integer, `start`,
            `end` or one of `forbidden` is no token of the decoder, `end` is
            forbidden, `length_penalty` is negative or not finite, or the
            decoder has less room than `length`.

    Example:

    >>> import numpy as np
    >>> class Repeat:
    ...     # Says the tokens of its memory, one by one.
    ...     def begin(self, memory):
    ...         return {}
    ...
    ...     def step(self, last, index, state, memory):
    ...         here = ops.take(memory, index, axis=1)
    ...         return 9.0 * ops.one_hot(here, 5), state, {}
    >>> memory = ops.convert_to_tensor([[2, 3, 0, 0], [4, 0, 0, 0]])
    >>> answers, _ = beam_search(Repeat(), memory, start=1, length=4, beams=2)
    >>> ops.convert_to_numpy(answers["token_ids"]).tolist()
    [[2, 3, 0, 0], [4, 0, 0, 0]]

    Departures:
        The paper prunes by two thresholds and penalises what the attention left
        out (equation 14's cp); neither is here. The search ends only when no
        better answer can come, not after a number of finished ones.

    Reference:
        Wu et al. Google's Neural Machine Translation System: Bridging the Gap
        between Human and Machine Translation. 2016, section 7, equation 14.
        https://arxiv.org/abs/1609.08144
    """
    forbidden = tuple(forbidden)
    _check(decoder, start, length, beams, end, length_penalty, forbidden)

    def penalty(count):
        return ((count + 5.0) / 6.0) ** length_penalty

    # What an unfinished sum of log-probabilities is divided by at the most. A
    # beam of one goes on behind no end.
    most = penalty(length) if beams > 1 else 1.0

    def step(last, index, state, memory):
        logits, state, maps = decoder.step(last, index, state, memory)
        return logits, state, maps if with_maps else {}

    state = decoder.begin(memory)
    last = ops.full((_rows(memory),), start, dtype="int32")
    index = ops.convert_to_tensor(0, dtype="int32")
    logits, state, maps = step(last, index, state, memory)
    # Places in the state that no step but the first has changed: there all
    # sequences of a sample are alike, whichever goes on.
    alike = set(range(len(keras.tree.flatten(state))))
    tokens = _vocabulary(logits, start, end, forbidden)
    silent = [token for token in {start, *forbidden} if token != end]
    bias = np.zeros(tokens, "float32")
    bias[silent] = -np.inf
    bias = ops.convert_to_tensor(bias)

    def choose(index, logits, state, maps, found):
        """Closes what ends at a step, and keeps the best of what goes on."""
        before = found["score"].shape[1]  # sequences of a sample so far
        log_probs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1) + bias
        log_probs = ops.reshape(log_probs, (-1, before, tokens))
        total = found["score"][:, :, None] + log_probs
        samples = ops.arange(ops.shape(total)[0], dtype="int32")[:, None]
        maps = {
            name: ops.where(_at(index, length, x), maps[name][:, None], x)
            for name, x in found["maps"].items()
        }

        def follow(structure, chosen):
            """The rows of some sequences of each sample, `(B, n)`."""
            rows = ops.reshape(samples * before + chosen, (-1,))
            return keras.tree.map_structure(
                lambda x: ops.take(x, rows, axis=0), structure
            )

        score, parent, token = _going_on(total, end, beams)
        ended, winner = _ended(total, end, score, beams)
        ended = ended / penalty(ops.cast(index + 1, "float32"))
        answer = _where(
            ended > found["answer"]["score"],
            {
                "score": ended,
                **follow({"ids": found["ids"], "maps": maps}, winner),
            },
            found["answer"],
        )

        ids = found["ids"]
        if beams > 1:  # Else each sample's only sequence is its own parent.
            ids, maps = follow((ids, maps), parent)
            parts = [
                part
                if before == beams and place in alike
                else follow(part, parent)
                for place, part in enumerate(keras.tree.flatten(state))
            ]
            state = keras.tree.pack_sequence_as(state, parts)
        last = ops.reshape(token, (-1,))
        ids = ops.where(_at(index, length, ids), last[:, None], ids)
        # Where nothing could become better, nothing goes on.
        done = answer["score"] >= score[:, 0] / most
        score = ops.where(done[:, None], -np.inf, score)
        found = {"score": score, "ids": ids, "maps": maps, "answer": answer}
        return index + 1, last, state, found

    def goes_on(index, last, state, found):
        alive = ops.any(found["score"][:, 0] > -np.inf)
        return ops.logical_and(index < length, alive)

    several = _several(memory, beams)

    def turn(index, last, state, found):
        logits, after, maps = step(last, index, state, several)
        parts = map(keras.tree.flatten, (state, after))
        alike.intersection_update(
            [place for place, (x, y) in enumerate(zip(*parts)) if x is y]
        )
        return choose(index, logits, after, maps, found)

    worst = ops.full_like(last, -np.inf, dtype="float32")
    nothing = {
        "ids": _along(ops.full_like(last, end), length),
        "maps": {
            name: _along(ops.zeros_like(x), length) for name, x in maps.items()
        },
    }
    found = {
        "score": ops.zeros_like(worst)[:, None],
        **nothing,
        "answer": {"score": worst, **nothing},
    }
    begun = choose(index, logits, state, maps, found)
    found = ops.while_loop(goes_on, turn, begun)[-1]

    unfinished = {
        "score": found["score"][:, 0] / penalty(length),
        "ids": found["ids"][::beams],
        "maps": {name: x[::beams] for name, x in found["maps"].items()},
    }
    better = unfinished["score"] > found["answer"]["score"]
    answer = _where(better, unfinished, found["answer"])
    answers = {"token_ids": answer["ids"], "score": answer["score"]}
    return answers, answer["maps"]


def sample(
    decoder,
    memory,
    start,
    length,
    end=0,
    forbidden=(),
    seed=None,
    temperature=1.0,
    top_k=None,
    top_p=None,
):
    """Draws a sequence of tokens from the distribution of a decoder.

    Each token is drawn by the probability that the decoder gives it after those
    drawn before, until `end`. As it stands, without the options that follow, a
    sequence comes as often as the product of its tokens' probabilities says, so
    that

        mean of (reward - baseline) * gradient of log p(sequence)

    estimates the gradient of the expected reward, `log p` being what the
    network's own softmax says of all tokens. Tokens that are forbidden have
    their probability shared out among the others. Three options more leave
    unlikely tokens out, in this order:

        p = softmax(logits / temperature)
        top_k: of these the k largest, and p shared out anew among them
        top_p: of those the fewest largest that sum up to top_p or more, and p
            shared out anew among them

    They are fit for answers, but then it is no longer the network's softmax
    that the sequences are drawn from.

    It runs on every backend, compiled too; call it as `beam_search`.

    Args:
        decoder: As of `beam_search`, one that goes on from a text too.
        memory: As there.
        start: Integer. The token before the first. Unlike there it may be
            drawn, for the softmax has it, unless it is forbidden.
        length: Positive integer, T. The most tokens, `end` included.
        end: Integer. The token that ends a sequence, and that fills the places
            behind it.
        forbidden: Tokens that are never drawn.
        seed: Integer, `keras.random.SeedGenerator` or `None`. An integer draws
            the same at each call, on one backend; TensorFlow's XLA draws
            others.
        temperature: Float of at least 0. Below 1 likely tokens become likelier.
            At 0 nothing is left to chance: the tokens are those of
            `beam_search` with a beam of one, which never says `start`.
        top_k: Positive integer, the most tokens that one is drawn from; it may
            exceed V. `None` is all.
        top_p: Float in (0, 1], the share that they have together at least. The
            likeliest is always among them. `None` and 1 are all.

    Returns:
        `(answers, maps)` as `beam_search`; the score is the sum of the
        logarithms of the probabilities that the tokens were drawn with, the
        end included: of those that were shared out anew, so 0 at a temperature
        of 0.

        Of equally probable tokens, where `top_k` or `top_p` leave some out,
        the lower ones stay.

    Raises:
        ValueError: If `length` or `top_k` is no positive integer, `start`,
            `end` or one of `forbidden` is no token of the decoder, `end` is
            forbidden, `temperature` is negative or not finite, `top_p` is not
            in (0, 1], or the decoder has less room than `length`.

    Example:

    >>> import numpy as np
    >>> class Coin:
    ...     # Says 1, 2 or the end, one as likely as the other.
    ...     def begin(self, memory):
    ...         return {}
    ...
    ...     def step(self, last, index, state, memory):
    ...         return ops.zeros((memory.shape[0], 3)), state, {}
    >>> answers, _ = sample(Coin(), ops.zeros((1000, 1)), 0, 5, seed=1)
    >>> ids = ops.convert_to_numpy(answers["token_ids"])
    >>> bool(0.3 < np.mean(ids[:, 0] == 0) < 0.37)
    True

    Departures:
        A token is found by one uniform number for each step, all drawn before
        the loop, in which a generator's state could not change on JAX. The
        second paper draws from the fewest tokens with a share of top_p; top_k,
        if given, is cut first.

    Reference:
        Fan, Lewis, Dauphin. Hierarchical Neural Story Generation. ACL 2018,
        section 5.4 (top_k). https://aclanthology.org/P18-1082
        Holtzman, Buys, Du, Forbes, Choi. The Curious Case of Neural Text
        Degeneration. ICLR 2020, section 3.1 (top_p).
        https://arxiv.org/abs/1904.09751
    """
    forbidden = tuple(forbidden)
    _check(decoder, start, length, 1, end, 0.0, forbidden)
    _check_chances(temperature, top_k, top_p)
    if temperature == 0:
        answers, maps = beam_search(
            decoder, memory, start, length, end=end, forbidden=forbidden
        )
        # A score that is no number must still be seen.
        return {**answers, "score": 0.0 * answers["score"]}, maps
    rows = _rows(memory)
    state = decoder.begin(memory)
    last = ops.full((rows,), start, dtype="int32")
    index = ops.convert_to_tensor(0, dtype="int32")
    logits, state, maps = decoder.step(last, index, state, memory)
    tokens = _vocabulary(logits, start, end, forbidden)
    bias = np.zeros(tokens, "float32")
    bias[list(forbidden)] = -np.inf
    bias = ops.convert_to_tensor(bias)
    # Pinned, whatever Keras's global `floatx` is.
    noise = keras.random.uniform((rows, length), dtype="float32", seed=seed)

    def choose(index, logits, state, maps, found):
        logits = _tempered(ops.cast(logits, "float32"), temperature)
        logs = ops.log_softmax(logits + bias, axis=-1)
        logs = _likeliest(logs, top_k, top_p)
        token = _drawn(logs, ops.take(noise, index, axis=1))
        log = ops.take_along_axis(logs, token[:, None], axis=-1)[:, 0]
        going = found["going"]
        last = ops.where(going, token, end)

        def written(before, x):
            here = _where(going, x, ops.zeros_like(x))
            return ops.where(_at(index, length, before), here[:, None], before)

        found = {
            "going": ops.logical_and(going, last != end),
            "score": found["score"] + ops.where(going, log, 0.0),
            "ids": ops.where(
                _at(index, length, found["ids"]), last[:, None], found["ids"]
            ),
            "maps": {
                name: written(found["maps"][name], x)
                for name, x in maps.items()
            },
        }
        return index + 1, last, state, found

    def goes_on(index, last, state, found):
        return ops.logical_and(index < length, ops.any(found["going"]))

    def turn(index, last, state, found):
        logits, state, maps = decoder.step(last, index, state, memory)
        return choose(index, logits, state, maps, found)

    found = {
        "going": ops.ones_like(last, dtype="bool"),
        "score": ops.zeros_like(last, dtype="float32"),
        "ids": _along(ops.full_like(last, end), length),
        "maps": {
            name: _along(ops.zeros_like(x), length) for name, x in maps.items()
        },
    }
    begun = choose(index, logits, state, maps, found)
    found = ops.while_loop(goes_on, turn, begun)[-1]
    answers = {"token_ids": found["ids"], "score": found["score"]}
    return answers, found["maps"]


def _tempered(logits, temperature):
    """Logits over the temperature, however near to 0 it is."""
    if temperature == 1:
        return logits
    # What float32 can divide by; the largest logit becomes 0.
    temperature = min(max(temperature, 1e-30), 1e30)
    return (logits - ops.max(logits, axis=-1, keepdims=True)) / temperature


def _likeliest(logs, top_k, top_p):
    """Log-probabilities of what is left, shared out anew, `(B, V)`.

    No order of the tokens is needed, and none that a backend would choose among
    equals: how many are kept, and the least of them, say which.
    """
    tokens = logs.shape[-1]
    # Sums in float32 would reach 1 too early.
    top_p = None if top_p == 1 else top_p
    if top_p is None and (top_k is None or top_k >= tokens):
        return logs
    first = tokens if top_k is None else min(int(top_k), tokens)
    best = ops.top_k(logs, first)[0]  # the largest first
    if top_p is None:
        least, count = best[:, -1:], first
    else:
        shares = ops.softmax(best, axis=-1)
        before = ops.cumsum(shares, axis=-1) - shares
        inside = ops.cast(before < top_p, "int32")
        count = ops.sum(inside, axis=-1, keepdims=True)
        least = ops.take_along_axis(best, ops.maximum(count - 1, 0), axis=-1)
    above, equal = logs > least, ops.cast(logs == least, "int32")
    room = count - ops.sum(ops.cast(above, "int32"), axis=-1, keepdims=True)
    kept = ops.logical_and(equal > 0, ops.cumsum(equal, axis=-1) <= room)
    logs = ops.where(ops.logical_or(above, kept), logs, -np.inf)
    return ops.log_softmax(logs, axis=-1)


def _drawn(logs, noise):
    """Tokens, `(B,)`, by their log-probabilities and numbers in [0, 1).

    The first whose cumulated probability is above the number; never one without
    probability, however sums are rounded.
    """
    tokens = logs.shape[-1]
    shares = ops.exp(logs)
    upto = ops.where(shares > 0, ops.cumsum(shares, axis=-1), 0.0)
    whole = ops.max(upto, axis=-1, keepdims=True)
    places = ops.arange(tokens, dtype="int32")
    # The last stands for none, where logits are no numbers.
    places = ops.where(upto > noise[:, None] * whole, places, tokens - 1)
    return ops.min(places, axis=-1)


def _going_on(total, end, beams):
    """The best that do not end: scores, parents and tokens, `(B, beams)`.

    `total` is `(B, n, V)`, the score of each sequence with each token. If fewer
    than `beams` are to be had, the others have a score of minus infinity.
    """
    before, tokens = total.shape[1:]
    is_end = ops.arange(tokens, dtype="int32") == end
    going = ops.reshape(
        ops.where(is_end, -np.inf, total), (-1, before * tokens)
    )
    score, place = ops.top_k(going, min(beams, before * tokens))
    place = ops.cast(place, "int32")
    if score.shape[1] < beams:
        missing = ((0, 0), (0, beams - score.shape[1]))
        score = ops.pad(score, missing, constant_values=-np.inf)
        place = ops.pad(place, missing)
    return score, place // tokens, place % tokens


def _ended(total, end, going, beams):
    """The best that ends: its score, `(B,)`, and its sequence, `(B, 1)`.

    It must be among the best `beams` of all; else its score is minus infinity.
    """
    ended = total[:, :, end]
    better = sum(
        ops.sum(ops.cast(x[:, None] > ended[:, :, None], "int32"), axis=-1)
        for x in (going, ended)
    )
    score, winner = ops.top_k(ops.where(better < beams, ended, -np.inf), 1)
    return score[:, 0], ops.cast(winner, "int32")


def _check(decoder, start, length, beams, end, length_penalty, forbidden):
    check_sizes(
        "the most tokens of an answer and the sequences kept",
        length=length,
        beams=beams,
    )
    if not (math.isfinite(length_penalty) and length_penalty >= 0):
        raise ValueError(
            "`length_penalty` must be a finite number of at least 0, the "
            f"exponent alpha. Received: length_penalty={length_penalty!r}"
        )
    if end in forbidden:
        raise ValueError(
            "`forbidden` must not hold `end`, or no answer could end. "
            f"Received: end={end}, forbidden={tuple(forbidden)}"
        )
    room = getattr(decoder, "length", None)
    if room is not None and length > room:
        raise ValueError(
            "`length` must be at most the decoder's, which has no room for "
            f"more steps. Received: length={length}, decoder.length={room}"
        )


def _check_chances(temperature, top_k, top_p):
    if not (_is_real(temperature) and 0 <= temperature < math.inf):
        raise ValueError(
            "`temperature` must be a finite number of at least 0, which logits "
            f"are divided by. Received: temperature={temperature!r}"
        )
    check_sizes(
        "the tokens that one is drawn from", optional=("top_k",), top_k=top_k
    )
    if top_p is not None and not (_is_real(top_p) and 0 < top_p <= 1):
        raise ValueError(
            "`top_p` must be in (0, 1], the share of the tokens that one is "
            f"drawn from, or None. Received: top_p={top_p!r}"
        )


def _is_real(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _vocabulary(logits, start, end, forbidden):
    """The number of tokens, which those that are named must be among."""
    tokens = logits.shape[-1]
    if not all(0 <= token < tokens for token in (start, end, *forbidden)):
        raise ValueError(
            f"`start`, `end` and `forbidden` must be among the {tokens} tokens "
            f"of the decoder. Received: start={start}, end={end}, "
            f"forbidden={tuple(forbidden)}"
        )
    return tokens


def _rows(memory):
    """The size of the batch, a tensor where it is not known."""
    tensors = [x for x in keras.tree.flatten(memory) if x is not None]
    return ops.shape(tensors[0])[0]


def _several(memory, beams):
    """The memory of each sample once for each of its sequences."""
    if beams == 1:
        return memory
    return keras.tree.map_structure(
        lambda x: ops.repeat(x, beams, axis=0), memory, none_is_leaf=False
    )


def _along(x, length):
    """What is the same at each step: `(B, ...)` to `(B, T, ...)`."""
    return ops.repeat(x[:, None], length, axis=1)


def _at(index, length, x):
    """Where step `index` is in `x`, `(B, T, ...)`."""
    here = ops.arange(length, dtype="int32") == index
    return ops.reshape(here, (1, length) + (1,) * (len(x.shape) - 2))


def _where(chosen, these, others):
    """For each sample, whole: one structure's tensors, or the other's."""

    def pick(x, y):
        shape = (-1,) + (1,) * (len(x.shape) - 1)
        return ops.where(ops.reshape(chosen, shape), x, y)

    return keras.tree.map_structure(pick, these, others)
