"""The promises every layer keeps. One call per layer, in its own test file."""

from tests.contract.asking import POLICIES as POLICIES
from tests.contract.asking import RUN as RUN
from tests.contract.cell import check_cell as check_cell
from tests.contract.glimpse import check_glimpse_layer as check_glimpse_layer
from tests.contract.layer import check_layer as check_layer
from tests.contract.lifecycle import SAVED as SAVED
from tests.contract.lifecycle import reload_script as reload_script
from tests.contract.mixture import check_mixture_layer as check_mixture_layer
from tests.contract.pair import check_pair_layer as check_pair_layer
from tests.contract.sequence import check_query_layer as check_query_layer
