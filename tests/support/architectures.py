"""Architectures of language models, of two small layers each, by how prompts are answered."""

LLAMA = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
}
OPT = {
    "hidden_size": 32,
    "word_embed_proj_dim": 32,
    "ffn_dim": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    "init_std": 0.3,
}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256, "initializer_range": 0.3}
SLIDING = LLAMA | {"sliding_window": 7}
PACKED = {
    "opt-125m": ("opt", OPT),
    "opt-350m": ("opt", OPT | {"word_embed_proj_dim": 16, "do_layer_norm_before": False}),
    "gpt2": ("gpt2", GPT2 | {"bos_token_id": 1, "eos_token_id": 1}),
    "gpt_neox": ("gpt_neox", LLAMA),
    "llama": ("llama", LLAMA),
    "mistral": ("mistral", SLIDING),
    "qwen2": ("qwen2", SLIDING | {"use_sliding_window": True, "max_window_layers": 1}),
    "qwen3": ("qwen3", LLAMA | {"head_dim": 8, "num_key_value_heads": 1}),
    "gemma": ("gemma", LLAMA | {"head_dim": 8}),
    "gemma2": ("gemma2", SLIDING | {"head_dim": 8, "attn_logit_softcapping": 5.0}),
    "gemma3": ("gemma3_text", SLIDING | {"head_dim": 8}),
    "gpt_oss": (
        "gpt_oss",
        SLIDING | {"head_dim": 8, "num_local_experts": 4, "num_experts_per_tok": 2},
    ),
}
PADDED = {
    "bloom": ("bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.3}),
    "mamba": ("mamba", {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}),
}
MODELS = PACKED | PADDED
VISION = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 8,
}
ENCODER = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
