"""Pictures of attention: maps over images, glimpses, words, channel gates.

They take what `keras_attention.attention_maps` returns, of one sample. Every
function but `text_page` returns a `matplotlib.figure.Figure` made without
pyplot: no window, no global state, safe in threads and on servers. In a
notebook, a figure as the last line of a cell is shown; elsewhere, `save_figure`
writes it. Matplotlib is imported when a picture is drawn.
"""

from keras_attention.lettering import printable as printable
from keras_attention.lettering import shortened as shortened
from keras_attention.pictures.alignments import CELL as CELL
from keras_attention.pictures.alignments import LETTER as LETTER
from keras_attention.pictures.alignments import LONGEST as LONGEST
from keras_attention.pictures.alignments import alignment_grid as alignment_grid
from keras_attention.pictures.alignments import (
    alignment_matrix as alignment_matrix,
)
from keras_attention.pictures.curves import training_curves as training_curves
from keras_attention.pictures.drawing import BAR as BAR
from keras_attention.pictures.drawing import COLORMAP as COLORMAP
from keras_attention.pictures.drawing import beside as beside
from keras_attention.pictures.drawing import noted as noted
from keras_attention.pictures.gates import channel_gates as channel_gates
from keras_attention.pictures.glimpses import read_region as read_region
from keras_attention.pictures.glimpses import region_outlines as region_outlines
from keras_attention.pictures.images import attention_grid as attention_grid
from keras_attention.pictures.images import heat_map as heat_map
from keras_attention.pictures.pages import text_page as text_page
from keras_attention.pictures.saving import check_format as check_format
from keras_attention.pictures.saving import save_figure as save_figure
from keras_attention.pictures.stacking import stacked as stacked
from keras_attention.pictures.strips import draw_strips as draw_strips
from keras_attention.pictures.words import word_weights as word_weights
