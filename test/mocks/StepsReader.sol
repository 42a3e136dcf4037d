// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Reads plans of steps the plain way, independently of the interpreter and of src/plan/steps.ts, by the layout
/// documented at StepRunner. Test vectors and random plans must mean the same to all of them. Steps come flat, in the order of
/// their bytes, with the depth that they stand at.
contract StepsReader {
    struct Asset {
        uint8 kind;
        address token;
    }

    struct Step {
        uint8 depth;
        uint8 kind;
        uint8 options;
        uint8 assetIn;
        uint8 assetOut;
        address target;
        uint128 amount;
        /// what the kind has of its own, without the steps inside
        bytes extra;
    }

    struct Reading {
        uint8 profitAsset;
        uint128 minProfit;
        uint40 deadline;
        uint40 fromBlock;
        uint40 toBlock;
        uint8 guards;
        bytes12 parent;
        uint96 gasPrice;
        uint8 gasScale;
        uint16 tipBips;
        uint96 tip;
        uint96 tipCap;
        address manager;
        Asset[] assets;
        Step[] steps;
    }

    function read(bytes calldata plan) external pure returns (Reading memory r) {
        uint8 first = uint8(plan[0]);
        require(first >> 4 == 0xb && first & 10 == 0, "format");
        r.profitAsset = uint8(plan[1]) >> 4;
        r.minProfit = uint128(bytes16(plan[2:18]));
        uint256 next = 18;
        if (first & 4 != 0) {
            r.guards = uint8(plan[18]);
            next = _readGuards(plan, 19, r);
        }
        if (first & 1 != 0) {
            r.manager = address(bytes20(plan[next:next + 20]));
            next += 20;
        }
        r.assets = new Asset[](uint8(plan[1]) & 15);
        for (uint256 i = 0; i < r.assets.length; ++i) {
            r.assets[i] = Asset(uint8(plan[next]), address(bytes20(plan[next + 1:next + 21])));
            next += 21;
        }
        Step[] memory steps = new Step[](64);
        uint256 count = _readSteps(plan[next:], 0, steps, 0);
        r.steps = new Step[](count);
        for (uint256 i = 0; i < count; ++i) r.steps[i] = steps[i];
    }

    function _readGuards(bytes calldata plan, uint256 next, Reading memory r) private pure returns (uint256) {
        require(r.guards & 132 == 0 && r.guards & 48 != 48, "guards");
        if (r.guards & 1 != 0) {
            r.deadline = uint40(bytes5(plan[next:next + 5]));
            r.fromBlock = uint40(bytes5(plan[next + 5:next + 10]));
            r.toBlock = uint40(bytes5(plan[next + 10:next + 15]));
            next += 15;
        }
        if (r.guards & 2 != 0) {
            r.parent = bytes12(plan[next:next + 12]);
            next += 12;
        }
        if (r.guards & 8 != 0) {
            r.gasPrice = uint96(bytes12(plan[next:next + 12]));
            r.gasScale = uint8(plan[next + 12]);
            next += 13;
        }
        if (r.guards & 16 != 0) {
            r.tip = uint96(bytes12(plan[next:next + 12]));
            next += 12;
        }
        if (r.guards & 32 != 0) {
            r.tipBips = uint16(bytes2(plan[next:next + 2]));
            r.tip = uint96(bytes12(plan[next + 2:next + 14]));
            r.tipCap = uint96(bytes12(plan[next + 14:next + 26]));
            next += 26;
        }
        return next;
    }

    function _readSteps(
        bytes calldata data,
        uint8 depth,
        Step[] memory steps,
        uint256 count
    ) private pure returns (uint256) {
        while (data.length > 0) {
            uint256 size = uint16(bytes2(data[3:5]));
            uint8 kind = uint8(data[0]);
            bytes calldata rest = data[41:41 + size];
            uint256 own = rest.length;
            if (kind == 21) own = 0;
            else if (kind == 14) own = 19;
            else if (kind > 14 && kind < 23) own = 16;
            steps[count] = Step({
                depth: depth,
                kind: kind,
                options: uint8(data[1]),
                assetIn: uint8(data[2]) >> 4,
                assetOut: uint8(data[2]) & 15,
                target: address(bytes20(data[5:25])),
                amount: uint128(bytes16(data[25:41])),
                extra: rest[:own]
            });
            count = _readSteps(rest[own:], depth + 1, steps, count + 1);
            data = data[41 + size:];
        }
        return count;
    }
}
