// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Reads plans the plain way, independently of the interpreter and of src/plan/codec.ts, by the layout documented at
/// ArbExecutor. Test vectors and random plans must mean the same to all of them.
contract PlanReader {
    struct Hop {
        bool v3;
        bool zeroForOne;
        address pool;
        uint96 amount;
    }

    struct Reading {
        bool adaptive;
        uint8 funding;
        uint8 pivot;
        uint96 amountIn;
        Hop[] hops;
        address token;
        address lender;
        uint96 loan;
        uint96 maxFee;
        uint96 minProfit;
        uint8 guards;
        uint40 deadline;
        uint40 fromBlock;
        uint40 toBlock;
        bytes12 parent;
        uint160 poolBound;
        uint96 gasPrice;
        uint8 gasScale;
        uint16 tipBips;
        uint96 tip;
        uint96 tipCap;
    }

    function read(bytes calldata plan) external pure returns (Reading memory r) {
        require(uint8(plan[0]) & 0xf8 == 0xa0, "format");
        uint8 flags = uint8(plan[0]);
        uint8 shape = uint8(plan[1]);
        r.adaptive = flags & 1 != 0;
        r.funding = shape >> 6;
        r.pivot = shape & 7;
        r.amountIn = uint96(bytes12(plan[4:16]));
        r.hops = new Hop[]((shape >> 3) & 7);
        uint256 next = 16;
        for (uint256 i = 0; i < r.hops.length; ++i) {
            r.hops[i] = Hop({
                v3: (uint8(plan[2]) >> i) & 1 == 1,
                zeroForOne: (uint8(plan[3]) >> i) & 1 == 1,
                pool: address(bytes20(plan[next:next + 20])),
                amount: uint96(bytes12(plan[next + 20:next + 32]))
            });
            next += 32;
        }
        if (flags & 2 != 0) {
            r.token = address(bytes20(plan[next:next + 20]));
            next += 20;
        }
        if (r.funding >= 2) {
            r.lender = address(bytes20(plan[next:next + 20]));
            r.loan = uint96(bytes12(plan[next + 20:next + 32]));
            r.maxFee = uint96(bytes12(plan[next + 32:next + 44]));
            next += 44;
        }
        r.minProfit = uint96(bytes12(plan[next:next + 12]));
        next += 12;
        if (flags & 4 != 0) {
            r.guards = uint8(plan[next]);
            next = _readGuards(plan, next + 1, r);
        }
        require(next == plan.length, "length");
    }

    function _readGuards(bytes calldata plan, uint256 next, Reading memory r) private pure returns (uint256) {
        require(r.guards < 128 && r.guards & 48 != 48, "guards");
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
        if (r.guards & 4 != 0) {
            r.poolBound = uint160(bytes20(plan[next:next + 20]));
            next += 20;
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
}
