// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {LocalToken} from "./LocalToken.sol";

/// @notice A local token of a layer 2 that canonical bridges mint and burn, with the functions of the OP Stack's OptimismMintableERC20 and
/// of Arbitrum's IArbToken. It stands in for the token's own code; its storage is LocalToken's, so it can take a LocalToken's place.
contract LocalBridgedToken is LocalToken {
    address public immutable l1Token;
    address public immutable l2Bridge;

    constructor(
        string memory name_,
        string memory symbol_,
        uint8 decimals_,
        address owner_,
        address l1Token_,
        address bridge_
    ) LocalToken(name_, symbol_, decimals_, owner_) {
        l1Token = l1Token_;
        l2Bridge = bridge_;
    }

    function remoteToken() external view returns (address) {
        return l1Token;
    }

    function bridge() external view returns (address) {
        return l2Bridge;
    }

    function l1Address() external view returns (address) {
        return l1Token;
    }

    /// ERC-165, and the two interfaces that the standard bridge asks for.
    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == 0x01ffc9a7 || id == 0x1d1d8b63 || id == 0xec4fc8e3;
    }

    function bridgeMint(address to, uint256 value) external {
        _mintFor(to, value);
    }

    function burn(address from, uint256 value) external {
        _burnFor(from, value);
    }

    function bridgeBurn(address from, uint256 value) external {
        _burnFor(from, value);
    }

    function mint(address to, uint256 value) public override {
        if (msg.sender == l2Bridge) _mintFor(to, value);
        else super.mint(to, value);
    }

    function _mintFor(address to, uint256 value) private {
        require(msg.sender == l2Bridge, "not the bridge");
        totalSupply += value;
        balanceOf[to] += value;
        emit Transfer(address(0), to, value);
    }

    function _burnFor(address from, uint256 value) private {
        require(msg.sender == l2Bridge, "not the bridge");
        require(balanceOf[from] >= value, "balance too low");
        totalSupply -= value;
        balanceOf[from] -= value;
        emit Transfer(from, address(0), value);
    }
}
