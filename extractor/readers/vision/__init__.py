"""Reads receipts with a local vision model. `vision_reader` is the entry point.

Before a model is loaded: `model_options`, `availability`, `weight_selection`. Loading: `loading`, `reader_process`. Any architecture:
`generation`. Mllama with a decoding loop of its own: `mllama` assembles `vision_encoder`, `image_cache`, `layers`, `attention`, `kv_pools`,
`cuda_graphs`, `decoding`, `scheduler`. Shared: `engine` (the interface), `chat_template`, `grammar`, `drafts`, `sequence`, `sampling`.
From receipts to requests and back: `batch`, `views`, `answer_spans`, `merging`; free questions: `conversation`.

torch is imported only when a model is loaded, so that the command line starts fast.
"""
