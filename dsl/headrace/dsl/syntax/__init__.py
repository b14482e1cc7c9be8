"""From text to declarations: blocks, the grammar, trees, and what a misfit is called."""
