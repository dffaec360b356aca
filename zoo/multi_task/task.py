"""Multi-task: a row of a table in, several labels and numbers out."""

from zoo.data.tables import load_tables
from zoo.inputs.table_row import TableRow
from zoo.multi_task.picture import experts_figure
from zoo.outputs.several import Several
from zoo.task import Task


class MultiTask(Task):
    """Answers several questions about a row of a table.

    What a raw input is says `zoo.inputs.table_row.TableRow`; what an answer is
    says `zoo.outputs.several.Several`. The arguments are those of
    `zoo.task.Task`.
    """

    name = "multi_task"
    input, output = TableRow, Several
    read = staticmethod(load_tables)

    def picture(self, raws, answers):
        return experts_figure(answers, self.output.names)
