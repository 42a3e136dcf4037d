// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20} from "../../contracts/interfaces/IERC20.sol";
import {TestToken} from "../mocks/Tokens.sol";

/// @notice Plays every pool, vault, lender and manager at once, as its seed says: gives tokens or takes what it is allowed,
/// calls back in any form with the right or altered plan, and answers anything.
contract HostileAll {
    address[] private tokens;
    bytes private plan;
    uint256 private seed;

    constructor(address[] memory tokens_) {
        tokens = tokens_;
    }

    receive() external payable {}

    function set(bytes calldata plan_, uint256 seed_) external {
        (plan, seed) = (plan_, seed_);
    }

    fallback() external payable {
        uint256 dice = uint256(keccak256(abi.encode(seed, gasleft(), msg.sig)));
        _play(dice);
        assembly ("memory-safe") {
            mstore(0, shr(and(dice, 255), dice))
            mstore(32, dice)
            return(0, 64)
        }
    }

    function _play(uint256 dice) private {
        // a view function gets its answer: what it may not do fails
        if (msg.sig == 0x70a08231 || msg.sig == 0xdd62ed3e || msg.sig == 0x0902f1ac || msg.sig == 0xf135baaa) return;
        if (msg.sig == 0xf140a35a || msg.sig == 0xa8d5fd65 || msg.sig == 0x00fdd58e) return;
        TestToken token = TestToken(tokens[(dice >> 8) % tokens.length]);
        if ((dice >> 16) % 3 == 0) try token.mint(msg.sender, (dice >> 24) % 10 ether) {} catch {}
        if ((dice >> 40) % 3 == 0) _take(tokens[(dice >> 48) % tokens.length]);
        if ((dice >> 56) % 4 == 0) return;
        for (uint256 i = 0; i < 1 + ((dice >> 64) % 2); ++i) _callBack(uint256(keccak256(abi.encode(dice, i))));
        if ((dice >> 72) % 2 == 0) _take(address(token));
        if ((dice >> 80) % 8 == 0) {
            (bool sent, ) = msg.sender.call{value: address(this).balance / 2}("");
            sent;
        }
    }

    function _take(address token) private {
        uint256 allowed = IERC20(token).allowance(msg.sender, address(this));
        if (allowed > 0) try IERC20(token).transferFrom(msg.sender, address(this), allowed) {} catch {}
    }

    function _callBack(uint256 dice) private {
        bytes memory data = plan;
        if (dice % 8 == 0 && data.length > 0) data[(dice >> 8) % data.length] ^= 0x01;
        uint256 claim = (dice >> 32) % 2 == 0 ? (dice >> 40) % 100 ether : uint256(keccak256(abi.encode(dice)));
        address who = (dice >> 48) % 8 == 0 ? address(this) : msg.sender;
        // the form that fits what was called, most of the time
        uint256 form = (dice >> 56) % 8 == 0 ? (dice >> 64) % 9 : _formOf(msg.sig);
        bytes memory call;
        if (form == 0)
            call = abi.encodeWithSignature(
                "a(int256,int256,bytes)",
                claim,
                -1,
                (dice >> 72) % 2 == 0 ? bytes("") : data
            );
        if (form == 1) call = abi.encodeWithSignature("b(address,uint256,uint256,bytes)", who, claim, 0, data);
        if (form == 2)
            call = abi.encodeWithSignature(
                "c(address,uint256,uint256,address,bytes)",
                tokens[0],
                claim,
                claim % 1000,
                who,
                data
            );
        if (form == 3) {
            uint256[] memory one = new uint256[](1);
            address[] memory list = new address[](1);
            (one[0], list[0]) = (claim % 1000, tokens[0]);
            call = abi.encodeWithSignature("d(address[],uint256[],uint256[],bytes)", list, one, one, data);
        }
        if (form == 4) call = abi.encodeWithSignature("e(uint256,bytes)", claim, data);
        if (form == 5)
            call = abi.encodeWithSignature(
                "f(address,address,uint256,uint256,bytes)",
                who,
                tokens[0],
                claim,
                claim % 1000,
                data
            );
        if (form == 6) call = abi.encodeWithSignature("g(uint256,uint256,bytes)", claim % 1000, claim % 999, data);
        if (form == 7) call = abi.encodeWithSignature("h(bytes)", data);
        if (form == 8) call = data;
        (bool success, bytes memory result) = msg.sender.call(call);
        if (!success && dice % 16 == 1) {
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
    }

    function _formOf(bytes4 selector) private pure returns (uint256) {
        if (selector == 0x022c0d9f) return 1;
        if (selector == 0x42b0b77c) return 2;
        if (selector == 0x5c38449e) return 3;
        if (selector == 0xe0232b42) return 4;
        if (selector == 0x5cffe9de) return 5;
        if (selector == 0x490e6cbc) return 6;
        if (selector == 0x48c89491) return uint256(uint32(selector)) % 2 == 1 ? 7 : 8;
        return 0;
    }
}

/// @notice Writes random plans of steps, as whoever holds an operator's key may.
abstract contract StepPlans {
    HostileAll[3] internal hostiles;
    /// @dev A vault whose shares the executor holds.
    address internal share;
    /// @dev What the executor holds: three tokens, the wrapped native one, the vault's shares.
    address[] internal held;
    uint256 internal random;

    /// @dev The executor.
    function _runner() internal view virtual returns (address);

    function _draw(uint256 range) internal returns (uint256) {
        random = uint256(keccak256(abi.encode(random)));
        return range == type(uint256).max ? random : random % range;
    }

    /// @dev A table of three to seven of ETH, what is held, and a fake token; then one to four steps.
    function _plan() internal returns (bytes memory plan) {
        uint256 count = 3 + _draw(5);
        bool v4 = _draw(3) == 0;
        plan = abi.encodePacked(
            uint8(v4 ? 0xb1 : 0xb0),
            uint8((_draw(count) << 4) | count),
            uint128(_draw(4) == 0 ? _draw(1000) : 0)
        );
        if (_draw(5) == 0) {
            plan[0] |= 0x04;
            plan = bytes.concat(plan, _guards());
        }
        if (v4) plan = abi.encodePacked(plan, address(hostiles[0]));
        uint256 shift = _draw(7);
        for (uint256 i = 0; i < count; ++i) {
            uint256 which = (i + shift) % 7;
            if (which == 0) plan = abi.encodePacked(plan, uint8(0), address(0));
            else if (which == 6)
                plan = abi.encodePacked(plan, uint8(v4 && _draw(2) == 0 ? 2 : 1), address(hostiles[1]));
            else plan = abi.encodePacked(plan, uint8(1), held[which - 1]);
        }
        plan = bytes.concat(plan, _steps(count, 2));
    }

    /// @dev Any guards that steps may have: windows that mostly hold, tips, own gas that costs nothing here, sweeps.
    function _guards() internal returns (bytes memory guards) {
        uint256 which = _draw(256) & 0x7b;
        if (which & 48 == 48 || _draw(3) != 0) which &= 0x4b;
        guards = abi.encodePacked(uint8(which));
        if (which & 1 != 0) {
            uint40 deadline = uint40(_draw(8) == 0 ? 1 : block.timestamp + 1);
            guards = abi.encodePacked(guards, deadline, uint40(_draw(2) * block.number), uint40(block.number + 1));
        }
        if (which & 2 != 0) guards = abi.encodePacked(guards, uint96(uint256(blockhash(block.number - 1))));
        if (which & 8 != 0) guards = abi.encodePacked(guards, uint96(1), uint8(_draw(256)));
        if (which & 16 != 0) guards = abi.encodePacked(guards, uint96(_draw(2) == 0 ? _draw(10) : _draw(10 ether)));
        if (which & 32 != 0) {
            guards = abi.encodePacked(guards, uint16(_draw(10_001)), uint96(_draw(10)), uint96(_draw(10 ether)));
        }
    }

    function _steps(uint256 assets, uint256 depth) internal returns (bytes memory list) {
        uint256 count = 1 + _draw(depth == 2 ? 4 : 3);
        for (uint256 i = 0; i < count; ++i) list = bytes.concat(list, _step(assets, depth));
    }

    function _step(uint256 assets, uint256 depth) internal returns (bytes memory) {
        uint256 kind = 1 + _draw(depth == 0 ? 14 : 23);
        if (depth == 0 && kind == 14) kind = 23;
        uint256 options = _draw(3) == 0 ? _draw(4) : 0;
        if (_draw(4) == 0 && kind < 14) options |= 16 << _draw(4);
        if (kind == 1 && _draw(2) == 0) options |= 0x80;
        bytes memory extra;
        if (kind == 1)
            extra = abi.encodePacked(uint24(_draw(4) == 0 ? 0xffffff : _draw(1_000_000)), uint128(_draw(10 ether)));
        if (kind == 2) extra = abi.encodePacked(uint128(_draw(10 ether)));
        if (kind == 3) extra = abi.encodePacked(uint8(0), uint8(1), uint8(_draw(5)));
        if (kind == 4) extra = abi.encodePacked(_draw(type(uint256).max), uint128(_draw(10 ether)));
        if (kind == 9) extra = abi.encodePacked(uint24(500), uint24(10), address(hostiles[1]), uint256(7));
        if (kind == 23) extra = abi.encodePacked(address(hostiles[2]), uint128(_draw(10 ether)));
        else if (kind > 13) {
            extra = kind == 21 ? bytes("") : abi.encodePacked(uint128(_draw(2) == 0 ? _draw(1000) : _draw(10 ether)));
            if (kind == 14) extra = abi.encodePacked(extra, uint24(_draw(2) == 0 ? 0 : 3000));
            extra = bytes.concat(extra, _steps(assets, depth - 1));
        }
        return
            abi.encodePacked(
                uint8(kind),
                uint8(options),
                uint8((_draw(assets) << 4) | _draw(assets)),
                uint16(extra.length),
                _target(kind),
                uint128(_draw(3) == 0 ? _draw(2000 ether) : _draw(10 ether)),
                extra
            );
    }

    function _target(uint256 kind) internal returns (address) {
        if ((kind == 5 || kind == 6) && _draw(2) == 0) return share;
        uint256 dice = _draw(12);
        if (dice == 0) return held[_draw(held.length)];
        if (dice == 1) return _runner();
        return address(hostiles[dice % 3]);
    }
}
