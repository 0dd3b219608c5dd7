"""Breaks up control tokens of models in texts of a request, so that no commit can end the user's turn. Pure.

The model is not known here, so these are the tokens in the chat templates of all common model families. An
engine that has the model's tokenizer also breaks up the tokens of that one.
"""

from __future__ import annotations

import re

NAMED = (
    # sentencepiece; Llama 2, Mistral, Gemma, T5
    "s", "bos", "eos", "unk", "pad", "mask", "sep", "cls", "eot", "eod", "eop", "sop", "mask_\\d+",
    "start_of_turn", "end_of_turn", "start_of_image", "end_of_image", "start_function_\\w+",
    "end_function_\\w+", "image_soft_token", "unused_?\\d+", "extra_id_\\d+", "extra_\\d+", "reserved_\\w+",
    "image", "video", "audio",
    # thoughts and tools; Qwen, DeepSeek, GLM, Hermes, Seed
    "think", "thinking", "tool_call", "tool_calls", "tool_response", "tool_result", "tools", "function_calls",
    "seed:\\w+", "arg_key", "arg_value", "answer", "SPECIAL_\\d+",
    # code models; StarCoder, CodeGemma, CodeLlama
    "fim_\\w+", "file_sep", "repo_name", "reponame", "filename", "gh_stars", "issue_\\w+", "jupyter_\\w+",
    "commit_\\w+", "empty_output", "PRE", "SUF", "MID", "EOT", "BOS", "EOS", "PAD", "UNK", "TURN",
    "START_OF_\\w+", "END_OF_\\w+", "start_header_id", "end_header_id", "step", "SYS", "INST",
)  # fmt: skip
"""Names between `<` and `>`, also with a slash before them."""
BRACKETED = (
    # Mistral, Llama 2, BERT, ChatGLM
    "INST", "SYSTEM_PROMPT", "AVAILABLE_TOOLS", "TOOL_CALLS", "TOOL_RESULTS", "TOOL_CONTENT", "CALL_ID",
    "ARGS", "IMG", "IMG_BREAK", "IMG_END", "AUDIO", "BEGIN_AUDIO", "PREFIX", "MIDDLE", "SUFFIX", "THINK",
    "MODEL_SETTINGS", "CLS", "SEP", "MASK", "UNK", "PAD", "BOS", "EOS", "gMASK", "sMASK", "control_\\d+",
)  # fmt: skip
"""Names between `[` and `]`, also with a slash before them."""
CONTROL = re.compile(
    r"<(?=[|｜]\S"  # <|im_end|>, <|eot_id|>, <|channel|>, <｜end▁of▁sentence｜>
    r"|\w+\|>"  # <turn|>
    r"|<?/?(?:" + "|".join(NAMED) + r")>"
    r"|\[\w+▁)"  # <[end▁of▁sentence]>
    r"|\[(?=\|\S"  # [|endofturn|]
    r"|/?(?:" + "|".join(BRACKETED) + r")\]"
    r"|e~\[)"  # MiniMax
    r"|\](?=~!?b[\[\]])"
)
"""Matches only a token's first character (the rest is a look-ahead), so that overlapping ones are found."""


def broken_up(text: str) -> str:
    """The text with a space after the first character of each control token. Idempotent."""
    return CONTROL.sub(r"\g<0> ", text)
