"""Everything that can be wrong with the input, found before the run and without torch."""

from __future__ import annotations

from alignment.errors import ModelError
from alignment.pipeline import Study
from alignment.profile import Profile, is_path_or_hub_id
from alignment.prompts import sources
from alignment.training import models
from alignment.training.arguments import check_stage


def preflight(study: Study) -> None:
    """Look at every model folder, file and argument that the profile names.

    The study has been made, so prompts are selected and recorded files are read already. Raises
    AlignmentError with one line.
    """
    profile = study.profile
    _ = study.recorded
    for name in (*profile.variants, models.JUDGE):
        recipe = models.recipe_of(profile, name)
        where = "judge" if name == models.JUDGE else f"variants.{name}"
        try:
            _examine(study, name, profile)
        except ModelError as error:
            raise ModelError(f"{where}: {error}") from error
        for number, stage in enumerate(recipe.stages):
            check_stage(stage, f"{where}.stages.{number}")
    if any(models.recipe_of(profile, name).stages for name in (*profile.variants, models.JUDGE)):
        _check_lessons(study)


def _examine(study: Study, name: str, profile: Profile) -> None:
    recipe = models.recipe_of(profile, name)
    if recipe.model is None and recipe.parent is not None and is_path_or_hub_id(recipe.parent):
        models.loaded(study.shop, recipe.parent, None, judge=False)
    if recipe.model is not None:
        models.loaded(study.shop, recipe.model, recipe.revision, judge=name == models.JUDGE)


def _check_lessons(study: Study) -> None:
    profile = study.profile
    for axis, source in profile.training.sources.items():
        sources.check(source, data=study.questions.data, axis=axis)
