from provisioning.demo.stage import Ports, claimed_ports


def taken(ports: Ports) -> set[int]:
    return {ports.web, ports.live, ports.smtp, ports.mailbox, ports.nfc, *ports.screens.values()}


def test_two_demos_at_once_never_get_the_same_ports() -> None:
    with claimed_ports() as mine, claimed_ports() as other:
        assert not taken(mine) & taken(other)
