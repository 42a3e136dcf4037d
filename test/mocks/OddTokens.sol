// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {TestToken} from "./Tokens.sol";

/// @notice A plain ERC-20 until `turn` makes it odd. Sources: d-xo/weird-erc20, Trail of Bits' token checklist.
contract OddToken is TestToken {
    enum Kind {
        Plain,
        // a tenth of each transfer is lost on the way
        Fee,
        // only `marked` can move all of it; others deliver a tenth (Salmonella)
        Salmonella,
        // with each transfer the balance of `marked` shrinks by 1 %
        Rebasing,
        // nothing goes to or from `marked`
        Blocklist,
        Paused,
        // burns all gas that it gets
        GasBomb,
        // answers true and half a megabyte of zeros
        ReturnBomb,
        // reverts with half a megabyte
        RevertBomb,
        // says true and does nothing
        Liar,
        // answers with the number 2
        Two
    }

    Kind public kind;
    address public marked;

    constructor() TestToken("ODD") {}

    function turn(Kind kind_, address marked_) external {
        (kind, marked) = (kind_, marked_);
    }

    function transfer(address to, uint256 value) external override returns (bool) {
        if (kind != Kind.Liar) _move(msg.sender, to, value);
        if (kind == Kind.ReturnBomb || kind == Kind.Two) {
            uint256 size = kind == Kind.Two ? 32 : 500_000;
            uint256 word = kind == Kind.Two ? 2 : 1;
            assembly ("memory-safe") {
                let free := mload(0x40)
                mstore(free, word)
                return(free, size)
            }
        }
        return true;
    }

    function _move(address from, address to, uint256 value) internal override {
        require(kind != Kind.Paused, "paused");
        require(kind != Kind.Blocklist || (from != marked && to != marked), "blocked");
        if (kind == Kind.GasBomb) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        if (kind == Kind.RevertBomb) {
            assembly ("memory-safe") {
                revert(mload(0x40), 500000)
            }
        }
        super._move(from, to, value);
        uint256 lost;
        address loser = to;
        if (kind == Kind.Fee) lost = value / 10;
        if (kind == Kind.Salmonella && from != marked) lost = (value * 9) / 10;
        if (kind == Kind.Rebasing) (lost, loser) = (balanceOf[marked] / 100, marked);
        balanceOf[loser] -= lost;
    }
}

/// @notice Moves like an ERC-20, and answers what is asked about it in odd ways.
contract EvasiveToken {
    enum Answer {
        Word,
        Nothing,
        // less than a word
        Short,
        // reverts, with a word that would do as an answer
        Revert
    }

    Answer public toBalance;
    Answer public toAllowance;
    bool private recovers;
    bool private isQuiet;
    mapping(address => uint256) private balances;
    mapping(address => mapping(address => uint256)) private allowances;

    function turn(Answer toBalance_, Answer toAllowance_) external {
        (toBalance, toAllowance) = (toBalance_, toAllowance_);
    }

    /// Balances are answered like this until the next transfer.
    function turnUntilTransfer(Answer toBalance_) external {
        (toBalance, recovers) = (toBalance_, true);
    }

    /// Approvals are answered with nothing from now on, as old tokens do.
    function hush() external {
        isQuiet = true;
    }

    function mint(address to, uint256 value) external {
        balances[to] += value;
    }

    function transfer(address to, uint256 value) public returns (bool) {
        balances[msg.sender] -= value;
        balances[to] += value;
        if (recovers) (toBalance, recovers) = (Answer.Word, false);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        allowances[from][msg.sender] -= value;
        balances[from] -= value;
        balances[to] += value;
        return true;
    }

    function approve(address spender, uint256 value) external returns (bool) {
        allowances[msg.sender][spender] = value;
        if (isQuiet) {
            assembly ("memory-safe") {
                return(0, 0)
            }
        }
        return true;
    }

    function balanceOf(address account) external view returns (uint256) {
        _answer(toBalance, balances[account]);
    }

    function allowance(address account, address spender) external view returns (uint256) {
        _answer(toAllowance, allowances[account][spender]);
    }

    function _answer(Answer how, uint256 value) private pure {
        assembly ("memory-safe") {
            mstore(0x00, value)
            if eq(how, 3) {
                revert(0x00, 0x20)
            }
            if eq(how, 2) {
                return(0x00, 0x1f)
            }
            if eq(how, 1) {
                return(0x00, 0x00)
            }
            return(0x00, 0x20)
        }
    }
}
