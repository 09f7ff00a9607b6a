# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Holds a function that does not fit on a screen."""

from __future__ import annotations


def long() -> list[int]:
    """Return numbers, at length."""
    numbers = []
    numbers.append(1)
    numbers.append(2)
    numbers.append(3)
    numbers.append(4)
    numbers.append(5)
    numbers.append(6)
    numbers.append(7)
    numbers.append(8)
    numbers.append(9)
    numbers.append(10)
    numbers.append(11)
    numbers.append(12)
    numbers.append(13)
    numbers.append(14)
    numbers.append(15)
    numbers.append(16)
    numbers.append(17)
    numbers.append(18)
    numbers.append(19)
    numbers.append(20)
    numbers.append(21)
    numbers.append(22)
    numbers.append(23)
    numbers.append(24)
    numbers.append(25)
    numbers.append(26)
    numbers.append(27)
    numbers.append(28)
    numbers.append(29)
    numbers.append(30)
    numbers.append(31)
    numbers.append(32)
    numbers.append(33)
    numbers.append(34)
    numbers.append(35)
    numbers.append(36)
    numbers.append(37)
    numbers.append(38)
    numbers.append(39)
    numbers.append(40)
    numbers.append(41)
    numbers.append(42)
    numbers.append(43)
    numbers.append(44)
    numbers.append(45)
    numbers.append(46)
    numbers.append(47)
    numbers.append(48)
    numbers.append(49)
    numbers.append(50)
    return numbers
