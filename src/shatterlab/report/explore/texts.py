"""What the chapter "Try it" says: of each explorable what it is, what to try first and what the paper says."""

from dataclasses import dataclass

TITLE = "Try it"
QUESTION = "What does memorizing look like, and why does fitting everything not decide what is learned?"


@dataclass(frozen=True)
class Explorable:
    """The text around one explorable.

    Args:
        name: of its JavaScript file, and of its part of the URL.
        title: its heading.
        explanation: what is computed, in one or two sentences.
        first: what to try first.
        paper: what the paper, or another source, says of it.
    """

    name: str
    title: str
    explanation: str
    first: str
    paper: str


EXPLORABLES = (
    Explorable(
        "network",
        "Watch a network memorize",
        "A network with one hidden layer learns the labels of 40 points in the plane. Its test accuracy is "
        "measured on 300 other points with true labels; points whose label is wrong have a dark rim, points "
        "not fitted yet a hole.",
        "Train it on true labels, then choose random labels and train it again: it fits both, in more steps, "
        "and only the test accuracy tells them apart. Then take a width of 4. In the plane, shuffled axes "
        "means that all points swap their two coordinates, and random axes that each swaps them or not by the"
        " toss of a coin.",
        "Section 2.1 of the paper trains networks under these six conditions on images. They fit the training"
        " set under every one of them, and from that it concludes that their capacity to memorize cannot "
        "explain that they generalize.",
    ),
    Explorable(
        "theorem",
        "The theorem, step by step",
        "A network with 2n + d weights can take any values on n different points in d dimensions. The proof "
        "builds it: here d is 2, and the labels are any numbers.",
        "Press Next step four times, then drag a point up and down, or move it with the arrow keys: the "
        "network follows, and its largest error stays at the rounding of the computer.",
        "This is Theorem 1 of Section 4, with Lemma 1 and the proof of its appendix. It says that small "
        "networks can represent any labelling; it does not say that training finds it.",
    ),
    Explorable(
        "doubledescent",
        "Double descent",
        "Ridge regression on the first p of a fixed list of random features is fitted to n examples; each "
        "curve is the median of eleven samples. With more features than examples it takes the solution of "
        "least size.",
        "Move p from 1 to 160 and watch the test error at p = n, then raise the ridge until the peak is gone."
        " With another n the peak moves along.",
        "The paper observes that networks with far more parameters than examples can generalize well. The "
        "peak and the second descent were described later, by Belkin, Hsu, Ma and Mandal (2019).",
    ),
    Explorable(
        "descent",
        "Which solution does descent find?",
        "Three examples that lie in one direction cannot decide two weights: each point of the green line "
        "fits them all. Gradient descent (orange) and stochastic gradient descent (blue rings) move along the"
        " data only.",
        "Press Start from zero: both end at the solution of least size. Then drag the start, or move it with "
        "the arrow keys, and see what is left of it in the end.",
        "Section 5 of the paper derives this for linear models: from zero, SGD stays in the span of the "
        "examples, so that it ends at the solution of least norm. It adds that a small norm does not predict "
        "by itself what generalizes.",
    ),
    Explorable(
        "polynomials",
        "Bias and variance",
        "Polynomials of one degree are fitted to many samples of a curve: the same places, fresh noise. Bias "
        "is how far their mean is from the truth, variance how far each is from that mean; both are computed "
        "exactly below.",
        "Raise the degree from 0: the bias falls, the variance grows. At degree n − 1 every label is fitted.",
        "This is the classical picture, in which a larger model ends by fitting worse. The paper asks why "
        "networks that are large enough to fit any labels do not follow it.",
    ),
)
