"""A real network that goes down, and a name that is not found: in namespaces, which only root may make everywhere."""

from bench.cut_off import cut_off


def test_a_site_that_is_cut_off_answers_children_and_brings_all_of_it_later() -> None:
    account = cut_off(1)
    assert account.clean, account
    assert account.acknowledged == 12
