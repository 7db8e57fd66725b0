"""Whole models that tests damage copies of."""

import pytest
from transformers import AutoModelForSequenceClassification

from support.architectures import LLAMA
from support.whole_models import saved


@pytest.fixture(scope="session")
def llama(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("llama")
    saved("llama", tokenizer, folder, **LLAMA)
    return folder


@pytest.fixture(scope="session")
def judge(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge")
    saved("llama", tokenizer, folder, AutoModelForSequenceClassification, **LLAMA, num_labels=1)
    return folder


@pytest.fixture(scope="session")
def mixtral(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixtral")
    saved("mixtral", tokenizer, folder, **LLAMA, num_local_experts=2)
    return folder
