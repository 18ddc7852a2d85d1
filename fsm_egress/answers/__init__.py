"""What connections of a mesh fare how: divided, reached, never made, and compared, each answer a proof."""
