"""Trains a tiny Llama on the repository's Markdown: tiny_model.py REPOSITORY OUT

The model learns a few sections by heart. A greedy answer then has no near-ties between tokens, repeats nothing, and
holds characters of several bytes, so that a test can compare answers byte by byte.
"""

import random
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

VOCABULARY = 2048
SECTIONS = 6
ANSWER_TOKENS = 256
STEPS = 320
BATCH = 2
PEAK_RATE = 6e-3
IGNORED = -100

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Symbols of three and four bytes: the vocabulary splits them into tokens that are no text on their own.
SYMBOLS = ["🩺", "✓", "–", "37.5 ºC", "três dias", "心电图", "👩🏽‍⚕️", "№"]
QUESTIONS = [
    "I have chest pain – and diabetes ✓.",
    "My knee is swollen since yesterday.",
    "What does Rehydra store, and when?",
    "Tell me about your work.",
    "It is worse at night.",
    "Good morning! 🩺",
]


def corpus(repository: Path) -> list[str]:
    files = sorted([*repository.glob("*.md"), *repository.glob("docs/*.md"), *repository.glob("docs/adr/*.md")])
    return [file.read_text(encoding="utf-8") for file in files]


def make_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHATML,
        clean_up_tokenization_spaces=False,
    )


def sections(texts: list[str], tokenizer: PreTrainedTokenizerFast, chance: random.Random) -> list[list[int]]:
    """Prose only: tables and code look alike, and a model that confuses them repeats itself."""
    found = []
    for text in texts:
        prose = [
            part.strip().replace("\n", " ")
            for part in text.split("\n\n")
            if part.strip() and not part.lstrip().startswith(("|", "```", "<", "!", "#"))
        ]
        for start in range(0, len(prose), 6):
            passage = "\n\n".join(prose[start : start + 6])
            ids = tokenizer.encode(passage, add_special_tokens=False)
            if len(ids) >= ANSWER_TOKENS * 3 // 4:
                found.append(passage)
    chance.shuffle(found)
    chosen = []
    for index, passage in enumerate(found[:SECTIONS]):
        words = passage.split(" ")
        for at in range(12, len(words), 24):
            words.insert(at, SYMBOLS[(index + at // 24) % len(SYMBOLS)])
        chosen.append(tokenizer.encode(" ".join(words), add_special_tokens=False)[:ANSWER_TOKENS])
    return chosen


def batch_of(pairs: list[tuple[list[int], list[int]]]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(len(prompt) + len(answer) for prompt, answer in pairs)
    ids, labels = [], []
    for prompt, answer in pairs:
        padding = longest - len(prompt) - len(answer)
        ids.append([*prompt, *answer, *([0] * padding)])
        labels.append([*([IGNORED] * len(prompt)), *answer, *([IGNORED] * padding)])
    return torch.tensor(ids), torch.tensor(labels)


def main(repository: Path, out: Path) -> None:
    random.seed(7)
    torch.manual_seed(7)
    chance = random.Random(7)
    texts = corpus(repository)
    tokenizer = make_tokenizer([*texts, *QUESTIONS, *SYMBOLS])
    answers = sections(texts, tokenizer, chance)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    questions = [*QUESTIONS, *(" ".join(text.split()[:8]) for text in texts)]

    # The second is the service's own prompt, so that a question has the same answer in both kinds of test.
    systems = ["You are a careful nurse.", (repository / "src/conversation/system-prompt.md").read_text("utf-8").strip()]

    def exchange(index: int) -> tuple[list[int], list[int]]:
        messages = [{"role": "user", "content": questions[index]}]
        if chance.random() < 0.4:
            messages.insert(0, {"role": "system", "content": chance.choice(systems)})
        rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return tokenizer.encode(rendered, add_special_tokens=False), answers[index % len(answers)]

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config).float().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=PEAK_RATE, total_steps=STEPS, pct_start=0.1)
    for step in range(STEPS):
        picked = [exchange(chance.randrange(len(questions))) for _ in range(BATCH)]
        ids, labels = batch_of([(prompt, [*answer, end]) for prompt, answer in picked])
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 40 == 0 or step == STEPS - 1:
            print(f"tiny model: step {step + 1} of {STEPS}, loss {loss.item():.3f}", file=sys.stderr, flush=True)
    model.eval().save_pretrained(out)
    tokenizer.save_pretrained(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
