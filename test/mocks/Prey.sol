// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {TestToken} from "./Tokens.sol";

// What an executor may hold and a thief of an operator key may want: assets whose transfer, approve or balanceOf do not mean
// what they mean at a plain ERC-20.

/// @notice ERC-721 as CryptoKitties has it: a balance is a number of pieces, and transfer names a piece.
contract Pieces {
    mapping(uint256 => address) public ownerOf;
    mapping(uint256 => address) public approved;
    mapping(address => uint256) public balanceOf;

    function mint(address to, uint256 id) external {
        ownerOf[id] = to;
        ++balanceOf[to];
    }

    function transfer(address to, uint256 id) external {
        require(ownerOf[id] == msg.sender, "not yours");
        _give(msg.sender, to, id);
    }

    function approve(address spender, uint256 id) external {
        require(ownerOf[id] == msg.sender, "not yours");
        approved[id] = spender;
    }

    function transferFrom(address from, address to, uint256 id) external {
        require(ownerOf[id] == from && approved[id] == msg.sender, "not approved");
        _give(from, to, id);
    }

    function _give(address from, address to, uint256 id) private {
        ownerOf[id] = to;
        delete approved[id];
        --balanceOf[from];
        ++balanceOf[to];
    }
}

/// @notice ERC-404: below the number of pieces, the amount of an approval means a piece, which allowance() does not tell.
contract Hybrid is TestToken {
    uint256 public minted;
    mapping(uint256 => address) public ownerOf;
    mapping(uint256 => address) public getApproved;

    constructor() TestToken("404") {}

    function mintPiece(address to) external returns (uint256 id) {
        id = ++minted;
        ownerOf[id] = to;
        balanceOf[to] += 1e18;
    }

    function approve(address spender, uint256 amountOrId) external override returns (bool) {
        if (amountOrId <= minted && amountOrId > 0) {
            require(ownerOf[amountOrId] == msg.sender, "not yours");
            getApproved[amountOrId] = spender;
        } else {
            allowance[msg.sender][spender] = amountOrId;
        }
        return true;
    }

    function transferFrom(address from, address to, uint256 amountOrId) external override returns (bool) {
        if (amountOrId <= minted) {
            require(ownerOf[amountOrId] == from && getApproved[amountOrId] == msg.sender, "not approved");
            ownerOf[amountOrId] = to;
            delete getApproved[amountOrId];
            _move(from, to, 1e18);
        } else {
            allowance[from][msg.sender] -= amountOrId;
            _move(from, to, amountOrId);
        }
        return true;
    }
}

/// @notice Like Comet of Compound III: an approval is all or nothing.
contract AllOrNothing is TestToken {
    constructor() TestToken("COMET") {}

    function approve(address spender, uint256 value) external override returns (bool) {
        require(value == 0 || value == type(uint256).max, "BadAmount");
        allowance[msg.sender][spender] = value;
        return true;
    }
}

/// @notice Shares of a vault that makes the first ones at a rate of one, as solmate's ERC4626, Yearn V2 and xSUSHI do.
contract ShareVault is TestToken {
    TestToken public immutable asset;

    constructor(TestToken asset_) TestToken("SHARE") {
        asset = asset_;
    }

    function deposit(uint256 assets, address to) external returns (uint256 shares) {
        shares = totalSupply == 0 ? assets : (assets * totalSupply) / asset.balanceOf(address(this));
        asset.transferFrom(msg.sender, address(this), assets);
        totalSupply += shares;
        balanceOf[to] += shares;
    }

    function redeem(uint256 shares, address to) external returns (uint256 assets) {
        assets = toAssets(shares);
        totalSupply -= shares;
        balanceOf[msg.sender] -= shares;
        asset.transfer(to, assets);
    }

    function toAssets(uint256 shares) public view returns (uint256) {
        return (shares * asset.balanceOf(address(this))) / totalSupply;
    }
}

/// @notice A rebasing token whose rate somebody can move and move back.
contract Rebasing {
    uint256 public rate = 1e18;
    mapping(address => uint256) public sharesOf;

    function setRate(uint256 rate_) external {
        rate = rate_;
    }

    function mint(address to, uint256 shares) external {
        sharesOf[to] += shares;
    }

    function balanceOf(address holder) external view returns (uint256) {
        return (sharesOf[holder] * rate) / 1e18;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        uint256 shares = (amount * 1e18) / rate;
        sharesOf[msg.sender] -= shares;
        sharesOf[to] += shares;
        return true;
    }
}

/// @notice Pays what it owes to anyone at anyone's call, like claimComp of Compound or claim_rewards of a Curve gauge.
contract Rewards {
    TestToken public immutable token;
    mapping(address => uint256) public owed;

    constructor(TestToken token_) {
        token = token_;
    }

    function credit(address holder, uint256 amount) external {
        owed[holder] += amount;
    }

    function claim(address holder) external {
        uint256 amount = owed[holder];
        owed[holder] = 0;
        token.transfer(holder, amount);
    }
}

/// @notice Tells what it likes: every balance the same, no allowance, every call a success.
contract Liar {
    fallback(bytes calldata data) external returns (bytes memory) {
        bytes4 selector = bytes4(data);
        if (selector == 0x70a08231) return abi.encode(uint256(1e30));
        if (selector == 0xdd62ed3e) return abi.encode(uint256(0));
        return abi.encode(uint256(1));
    }
}

/// @notice ERC-677: tells the recipient, in the same argument layout as a V3 pool's callback.
contract Telling is TestToken {
    constructor() TestToken("TELL") {}

    function transferAndCall(address to, uint256 value, bytes calldata data) external returns (bool) {
        _move(msg.sender, to, value);
        (bool success, bytes memory result) = to.call(
            abi.encodeWithSignature("onTokenTransfer(address,uint256,bytes)", msg.sender, value, data)
        );
        if (!success) {
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
        return true;
    }
}

/// @notice A pool that takes its payment, then leaves its caller as little gas and as many bytes as it can.
contract Glutton {
    enum Meal {
        Gas,
        BytesReturned,
        BytesReverted
    }

    Meal public meal;
    uint256 public left;

    /// @param left_ Gas that it keeps for itself when it eats gas.
    function set(Meal meal_, uint256 left_) external {
        meal = meal_;
        left = left_;
    }

    function swap(address, bool, int256 amount, uint160, bytes calldata data) external returns (int256, int256) {
        (bool paid, ) = msg.sender.call(
            abi.encodeWithSignature("uniswapV3SwapCallback(int256,int256,bytes)", amount, int256(-1), data)
        );
        require(paid, "not paid");
        Meal what = meal;
        uint256 rest = left;
        if (what == Meal.Gas) {
            while (gasleft() > rest) {}
        } else {
            assembly ("memory-safe") {
                if eq(what, 1) {
                    return(0, 200000)
                }
                revert(0, 200000)
            }
        }
        return (0, 0);
    }
}

/// @notice A V2 pair that tells any reserves and sends nothing.
contract AnyReserves {
    uint256 private reserve0;
    uint256 private reserve1;

    function set(uint256 reserve0_, uint256 reserve1_) external {
        (reserve0, reserve1) = (reserve0_, reserve1_);
    }

    function getReserves() external view returns (uint256, uint256, uint256) {
        return (reserve0, reserve1, 0);
    }

    fallback() external {}
}
